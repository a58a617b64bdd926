# Build settings and the functions that declare this project's targets.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")

# Our headers have one name everywhere, the one that they are installed under: troupe/<folder>/<room>/<header>. In the build tree a link
# for each folder gives it to them.
set(TROUPE_INCLUDE_DIR "${PROJECT_BINARY_DIR}/include")
file(MAKE_DIRECTORY "${TROUPE_INCLUDE_DIR}/troupe")
foreach(folder runtime callbacks actors deploy)
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${folder}" "${TROUPE_INCLUDE_DIR}/troupe/${folder}" SYMBOLIC)
endforeach()
configure_file("${PROJECT_SOURCE_DIR}/troupe.h" "${TROUPE_INCLUDE_DIR}/troupe/troupe.h" COPYONLY)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

if(TROUPE_SANITIZE)
  add_compile_options(-fsanitize=${TROUPE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TROUPE_SANITIZE})
endif()

# What every target of ours is compiled with.
function(troupe_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict) # False for "literal" + std::string: GCC bug 105651.
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND TROUPE_SANITIZE)
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized) # False in <regex> then: GCC bug 105562.
  endif()
  if(TROUPE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# Sources that include <torch/torch.h> share one precompiled header, which the target troupe_runtime makes. GCC takes it only where
# the code is generated alike, so an executable that uses it is compiled as position-independent as a library (-fPIC, not -fPIE).
# Where nothing is precompiled, an executable still gets LibTorch's logging macros first: its CHECK, defined after doctest's, would
# take that one's place.
function(troupe_precompile_torch target)
  get_target_property(type ${target} TYPE)
  if(TROUPE_PRECOMPILE_TORCH)
    if(type STREQUAL "EXECUTABLE")
      set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(${target} PRIVATE -fPIC)
    endif()
    target_precompile_headers(${target} REUSE_FROM troupe_runtime)
  elseif(type STREQUAL "EXECUTABLE")
    target_compile_options(${target} PRIVATE "SHELL:-include c10/util/Logging.h")
  endif()
endfunction()

# Sources of one room, or of one test, are compiled together, up to eight at a time, where TROUPE_UNITY is set: nearly all of the time goes
# into headers. They are included by the paths that every clone has, so that a compiler cache serves all clones. Private names of theirs
# must not clash. `folder`: where relative sources lie, seen from the include path.
function(troupe_join_sources result name folder)
  set(joined)
  set(batch)
  set(count 0)
  foreach(source IN LISTS ARGN)
    if(TROUPE_UNITY AND source MATCHES "\\.cc$" AND NOT IS_ABSOLUTE "${source}")
      cmake_path(SET path NORMALIZE "${folder}/${source}")
      math(EXPR number "${count} / 8 + 1")
      math(EXPR count "${count} + 1")
      string(APPEND batch_${number} "#include \"${path}\"\n")
    else()
      cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
      list(APPEND joined "${source}")
    endif()
  endforeach()
  if(count GREATER 0)
    foreach(number RANGE 1 ${number})
      file(CONFIGURE OUTPUT "${name}_${number}.cc" CONTENT "${batch_${number}}" @ONLY)
      list(APPEND joined "${CMAKE_CURRENT_BINARY_DIR}/${name}_${number}.cc")
    endforeach()
  endif()
  set(${result} "${joined}" PARENT_SCOPE)
endfunction()

# troupe_add_library(core DEPS troupe::proto): target troupe_core, alias troupe::core. Its sources come by troupe_add_room.
function(troupe_add_library name)
  cmake_parse_arguments(ARG "" "" "DEPS;PRIVATE_DEPS" ${ARGN})
  set(target troupe_${name})
  add_library(${target} STATIC)
  add_library(troupe::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS "${TROUPE_INCLUDE_DIR}")
  target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${TROUPE_INCLUDE_DIR}>")
  target_link_libraries(${target} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  target_compile_features(${target} PUBLIC cxx_std_20)
  troupe_compile_options(${target})
  install(TARGETS ${target} EXPORT troupe-targets FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
endfunction()

# troupe_add_room(core HEADERS a.h SOURCES a.cc): this folder's share in the library troupe_core. HEADERS are installed; private ones are
# among the SOURCES or not listed.
function(troupe_add_room library)
  cmake_parse_arguments(ARG "" "" "HEADERS;SOURCES" ${ARGN})
  file(RELATIVE_PATH room "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  list(TRANSFORM ARG_HEADERS PREPEND "${TROUPE_INCLUDE_DIR}/troupe/${room}/")
  troupe_join_sources(sources ${library} "troupe/${room}" ${ARG_SOURCES})
  target_sources(troupe_${library} PRIVATE ${sources} PUBLIC FILE_SET HEADERS FILES ${ARG_HEADERS})
endfunction()

# troupe_add_executable(digits SOURCES main.cc DEPS troupe::run)
function(troupe_add_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  troupe_join_sources(sources ${name} "${folder}" ${ARG_SOURCES})
  add_executable(${name} ${sources})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  troupe_compile_options(${name})
endfunction()

# troupe_add_test(core_test LABEL core SOURCES a_test.cc DEPS troupe::core): one CTest entry per doctest binary. With LABELS torch_free
# it is among those that deploy/sanitize.sh builds and runs.
function(troupe_add_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  troupe_add_executable(${name} SOURCES ${ARG_SOURCES} "${PROJECT_SOURCE_DIR}/tests/support/doctest_main.cc" DEPS ${ARG_DEPS}
                                                                                                           doctest::doctest)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(
    ${name} PROPERTIES LABELS "${ARG_LABEL};${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} FAIL_REGULAR_EXPRESSION
                       "test cases: +0 ")
  if("torch_free" IN_LIST ARG_LABELS)
    add_dependencies(torch_free_tests ${name})
  endif()
endfunction()

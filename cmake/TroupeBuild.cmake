# Build settings and the functions that declare this project's targets.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")

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

# troupe_add_library(core HEADERS a.h SOURCES a.cc DEPS troupe::proto): target troupe_core, alias troupe::core.
function(troupe_add_library name)
  cmake_parse_arguments(ARG "" "" "HEADERS;SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  set(target troupe_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(troupe::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}" FILES ${ARG_HEADERS})
  target_link_libraries(${target} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  target_compile_features(${target} PUBLIC cxx_std_20)
  troupe_compile_options(${target})
  install(TARGETS ${target} EXPORT troupe-targets FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/troupe")
endfunction()

# troupe_add_executable(digits SOURCES main.cc DEPS troupe::run)
function(troupe_add_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
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

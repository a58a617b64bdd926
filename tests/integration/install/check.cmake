# Installs the build to an empty prefix, looks for headers that were forgotten, then builds and runs a project against it.
# cmake -D BUILD_DIR=... -D WORK_DIR=... -D SOURCE_DIR=... -D BUILD_TYPE=... -D CXX_FLAGS=... -P check.cmake
set(prefix "${WORK_DIR}/prefix")
file(REMOVE_RECURSE "${WORK_DIR}")

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    string(JOIN " " command ${ARGN})
    message(FATAL_ERROR "${command}: ${status}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${prefix}")

file(GLOB_RECURSE headers RELATIVE "${prefix}/include" "${prefix}/include/troupe/*.h")
foreach(header IN LISTS headers)
  file(STRINGS "${prefix}/include/${header}" includes REGEX "^#include [<\"](troupe/|[a-z_]+/[a-z_]+\\.h\")")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE "^#include [<\"]([^>\"]*).*" "\\1" path "${include}")
    if(NOT path MATCHES "^troupe/" OR NOT EXISTS "${prefix}/include/${path}")
      message(SEND_ERROR "the installed ${header} includes ${path}, which is not installed under that name: see its room's HEADERS")
    endif()
  endforeach()
endforeach()
list(LENGTH headers count)
if(count LESS 30)
  message(SEND_ERROR "only ${count} headers are installed")
endif()

run("${CMAKE_COMMAND}" -S "${SOURCE_DIR}/consumer" -B "${WORK_DIR}/build" -G Ninja "-DCMAKE_PREFIX_PATH=${prefix}"
    "-DCMAKE_BUILD_TYPE=${BUILD_TYPE}" "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
run("${CMAKE_COMMAND}" --build "${WORK_DIR}/build")

function(expect printed)
  run(${ARGN})
  if(NOT output STREQUAL "${printed}\n")
    message(FATAL_ERROR "${ARGN} printed ${output}instead of ${printed}")
  endif()
endfunction()
expect("1 5 own" "${WORK_DIR}/build/small/small")
expect("4 own" "${WORK_DIR}/build/whole/whole" "${WORK_DIR}/run")

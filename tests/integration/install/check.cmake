# Installs the build to an empty prefix, looks for headers that were forgotten, then builds and runs two projects against it: consumer/,
# which takes a component of the package, and the one that users copy.
# cmake -D BUILD_DIR=... -D WORK_DIR=... -D SOURCE_DIR=... -D STARTER_DIR=... -D BUILD_TYPE=... -D CXX_FLAGS=... -P check.cmake
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

# build(FOLDER SOURCE FLAGS): another project, as its author would build it.
function(build folder source flags)
  run("${CMAKE_COMMAND}" -S "${source}" -B "${WORK_DIR}/${folder}" -G Ninja "-DCMAKE_PREFIX_PATH=${prefix}"
      "-DCMAKE_BUILD_TYPE=${BUILD_TYPE}" "-DCMAKE_CXX_FLAGS=${flags}" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  run("${CMAKE_COMMAND}" --build "${WORK_DIR}/${folder}")
endfunction()

# expect(REGEX COMMAND...): what a program prints.
function(expect printed)
  run(${ARGN})
  if(NOT output MATCHES "${printed}")
    message(FATAL_ERROR "${ARGN} printed ${output}instead of ${printed}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

build(small "${SOURCE_DIR}/consumer" "${CXX_FLAGS}")
expect("^1 5 own own\n$" "${WORK_DIR}/small/small")

# What users copy, from where they put it. First on its include path stands a folder with headers that are called like ours.
file(COPY "${STARTER_DIR}/" DESTINATION "${WORK_DIR}/project")
build(starter "${WORK_DIR}/project" "${CXX_FLAGS} -I${SOURCE_DIR}/consumer")
set(run_dir "${WORK_DIR}/run")
set(starter "${WORK_DIR}/starter/starter")
expect("best so far: val_acc .*train_loss.*run_dir ${run_dir}\n" "${starter}" fit --run-dir "${run_dir}" --trainer.max_epochs
       12 --model.hidden 32 --data.noise 0.02)
expect("test_acc (1|0\\.9)" "${starter}" test --run-dir "${run_dir}" --resume best)
expect("\"hidden\": 32" "${starter}" config --config "${run_dir}/config.json")
# Half-way along the first arm: radius 0.5, angle 2.
set(point -0.208 0.455)
expect("^arm 0, probability (1|0\\.[5-9])" "${WORK_DIR}/starter/infer" "${run_dir}/config.json"
       "${run_dir}/checkpoints/best.ckpt" ${point})
set(from_checkpoint "${output}")
run("${prefix}/bin/troupe" checkpoint export "${run_dir}/checkpoints/best.ckpt" --format safetensors)
run("${WORK_DIR}/starter/infer" "${run_dir}/config.json" "${run_dir}/checkpoints/best.safetensors" ${point})
if(NOT output STREQUAL from_checkpoint)
  message(FATAL_ERROR "with the exported weights infer printed ${output}instead of ${from_checkpoint}")
endif()

# Finds Protobuf, also beside a LibTorch that carries a copy of its own. The archives and wheels of pytorch.org have the headers and the
# compiler of an old release, without the schemas that it comes with, and whatever includes <torch/...> would take those headers.

# Where the schemas are, there the whole of it is.
find_path(Protobuf_INCLUDE_DIR google/protobuf/descriptor.proto)
if(Protobuf_INCLUDE_DIR)
  find_program(Protobuf_PROTOC_EXECUTABLE protoc PATHS "${Protobuf_INCLUDE_DIR}/../bin" NO_DEFAULT_PATH)
endif()

# Puts the headers of the Protobuf that was found before LibTorch's copy of them, for everything that uses `target`. A link, and not the
# folder itself: that is the compiler's default one as a rule, which no option brings forward.
function(troupe_prefer_protobuf target)
  foreach(dir IN LISTS TORCH_INCLUDE_DIRS)
    if(EXISTS "${dir}/google/protobuf" AND NOT dir STREQUAL Protobuf_INCLUDE_DIR)
      file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/protobuf_headers")
      file(CREATE_LINK "${Protobuf_INCLUDE_DIR}/google" "${CMAKE_BINARY_DIR}/protobuf_headers/google" SYMBOLIC)
      target_include_directories(${target} SYSTEM BEFORE INTERFACE "$<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/protobuf_headers>")
      return()
    endif()
  endforeach()
endfunction()

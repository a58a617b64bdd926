# Finds LibTorch, a build for CUDA too, without the CUDA toolkit: Troupe compiles no CUDA. The configuration of such a LibTorch looks
# for all of the toolkit unless somebody has found the CUDA runtime for it already. Its own libraries know where theirs are; a project
# that does compile CUDA finds Torch before Troupe.
if(NOT TARGET torch::cudart)
  add_library(torch::cudart INTERFACE IMPORTED)
endif()

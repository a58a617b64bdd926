#include "runtime/data_loader.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

// C kernels, only where Swift cannot: SIMD with run-time dispatch. One header per subject.
#pragma once
#include "saas_kernels.h"
#include "ehvi_kernels.h"
#include "lm_kernels.h"

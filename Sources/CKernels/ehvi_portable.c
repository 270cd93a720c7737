// The kernel for any processor.
#include "ehvi.h"

#define FAMILY ehvi
#define SUFFIX portable
#include "ehvi_kernels.inc"

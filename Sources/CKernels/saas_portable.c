// The kernel for any processor: plain 8-lane vectors of the compiler, two rows per register tile.
#define FAMILY saas
#define SUFFIX portable
#define SAAS_ROWS 2
#define SAAS_COLUMNS 1
#include "saas_kernels.inc"

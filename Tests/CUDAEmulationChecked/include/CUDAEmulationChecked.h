// Nothing to call: the kernels of this target register themselves with the emulated device.
#ifndef CUDA_EMULATION_CHECKED_H
#define CUDA_EMULATION_CHECKED_H
#endif

/// How a GPU stands, from NVIDIA's management library (NVML API reference; nvmlReturn_t 0 = success).
///
/// Allocates no device memory and does not disturb running kernels: a worker asks while its trainer computes.
package final class CUDAMonitor: Sendable {
  /// What the device said; nil = it cannot be asked (no NVML, or a slice of a device).
  package struct Reading: Sendable, Hashable {
    /// Percent of the last sample period in which a kernel ran.
    package var utilization: Int?
    /// Bytes in use by anybody.
    package var memoryUsed: Int?
  }

  package let device: CUDADevice
  private let library: Library?

  private struct Library: Sendable {
    /// NVML's opaque handle as a number; its functions take it from any thread.
    let handle: UInt
    let rates: @convention(c) @Sendable (UInt, UnsafeMutablePointer<UInt32>) -> Int32
    let memory: @convention(c) @Sendable (UInt, UnsafeMutablePointer<UInt64>) -> Int32

    init?(_ symbols: CUDASymbols, _ device: CUDADevice) {
      typealias Find =
        @convention(c) @Sendable (UnsafePointer<CChar>, UnsafeMutablePointer<UInt>) -> Int32
      func load<Function>(_ name: String, _ type: Function.Type = Function.self) throws(CUDAError) -> Function {
        try symbols.load(.management, driverVersion: 0, name, as: type)
      }
      do {
        let start: @convention(c) @Sendable () -> Int32 = try load("nvmlInit_v2")
        let find: Find = try load("nvmlDeviceGetHandleByPciBusId_v2")
        rates = try load("nvmlDeviceGetUtilizationRates")
        memory = try load("nvmlDeviceGetMemoryInfo")
        // NVML counts devices in its own order, whatever CUDA_VISIBLE_DEVICES says: the bus tells which one it is.
        var handle: UInt = 0
        guard start() == 0, find(device.busID, &handle) == 0, handle != 0 else { return nil }
        self.handle = handle
      } catch {
        return nil
      }
    }
  }

  /// - Parameter index: the device as CUDA counts them.
  /// - Throws: `CUDAError` (`unavailable`) where there is no driver or no such device; a missing NVML is none.
  package convenience init(device index: Int) throws { try self.init(device: index, symbols: .shared) }

  init(device index: Int, symbols: CUDASymbols) throws(CUDAError) {
    guard let device = try CUDADevice.all(CUDADriver(symbols)).first(where: { $0.index == index }) else {
      throw CUDAError(.unavailable, "there is no device cuda:\(index)")
    }
    self.device = device
    library = Library(symbols, device)
  }

  /// Asks now.
  package func read() -> Reading {
    guard let library else { return Reading() }
    var reading = Reading()
    // nvmlUtilization_t: gpu, memory. nvmlMemory_t: total, free, used.
    var rates: [UInt32] = [0, 0]
    if library.rates(library.handle, &rates) == 0 { reading.utilization = min(100, Int(rates[0])) }
    var memory: [UInt64] = [0, 0, 0]
    if library.memory(library.handle, &memory) == 0 { reading.memoryUsed = Int(clamping: memory[2]) }
    return reading
  }
}

/// One device with its context and the stream on which everything happens in order.
final class CUDAContext {
  let driver: CUDADriver
  let device: CUDADevice
  /// Major version of the driver's CUDA, such as 12.
  let driverVersion: Int
  private let context: CUDADriver.Handle?
  private let number: Int32
  let stream: CUDADriver.Handle?

  /// Opens device `index`.
  ///
  /// Throws `CUDAError`: `unavailable` without driver or device, `unsupported` for a device that is too old.
  init(index: Int, symbols: CUDASymbols) throws(CUDAError) {
    driver = try CUDADriver(symbols)
    try driver.check(driver.initialize(0), "cuInit")
    var version: Int32 = 0
    try driver.check(driver.driverVersion(&version), "cuDriverGetVersion")
    driverVersion = Int(version) / 1000
    var count: Int32 = 0
    try driver.check(driver.deviceCount(&count), "cuDeviceGetCount")
    guard index >= 0, index < Int(count) else {
      throw CUDAError(
        .unavailable,
        "there is no device cuda:\(index): \(count == 0 ? "CUDA sees no device" : "CUDA sees \(count), numbered from 0"); "
          + "look at CUDA_VISIBLE_DEVICES and `engram doctor`, or use --device cpu")
    }
    device = try CUDADevice(driver, index)
    guard (device.major, device.minor) >= CUDADevice.oldest else {
      throw CUDAError(
        .unsupported,
        "\(device.name) has compute capability \(device.major).\(device.minor); this backend needs 8.0 (Ampere) or later. "
          + "Use --device cpu")
    }
    var number: Int32 = 0
    try driver.check(driver.device(&number, Int32(index)), "cuDeviceGet(\(index))")
    self.number = number
    var context: CUDADriver.Handle?
    try driver.check(driver.retainContext(&context, number), "cuDevicePrimaryCtxRetain")
    self.context = context
    do throws(CUDAError) {
      try driver.check(driver.setContext(context), "cuCtxSetCurrent")
      var stream: CUDADriver.Handle?
      try driver.check(
        driver.createStream(&stream, CUDADriver.Constant.streamNonBlocking), "cuStreamCreate")
      self.stream = stream
    } catch {
      _ = driver.releaseContext(number)
      throw error
    }
  }

  deinit {
    _ = driver.setContext(context)
    _ = driver.destroyStream(stream)
    _ = driver.releaseContext(number)
  }

  /// Makes the device the current one of this thread: whoever calls may be on another thread each time.
  func enter() throws(CUDAError) { try driver.check(driver.setContext(context), "cuCtxSetCurrent") }

  // MARK: Memory

  /// A device allocation; nil where the device's memory does not suffice.
  func allocate(_ bytes: Int) throws(CUDAError) -> DevicePointer? {
    try enter()
    var address: DevicePointer = 0
    let status = driver.allocate(&address, bytes)
    if status == CUDADriver.Constant.outOfMemory { return nil }
    try driver.check(status, "cuMemAlloc(\(bytes))")
    return address
  }

  /// Gives a device allocation back; failures are those of earlier calls and show there.
  func free(_ address: DevicePointer) {
    _ = driver.setContext(context)
    _ = driver.free(address)
  }

  /// Bytes that are free on the device now.
  func freeMemory() throws(CUDAError) -> Int {
    try enter()
    var (free, total) = (0, 0)
    try driver.check(driver.memoryInfo(&free, &total), "cuMemGetInfo")
    return free
  }

  func copyToDevice(_ target: DevicePointer, _ source: UnsafeRawPointer, _ bytes: Int) throws(CUDAError) {
    guard bytes > 0 else { return }
    try enter()
    try driver.check(driver.copyToDevice(target, source, bytes, stream), "cuMemcpyHtoDAsync(\(bytes))")
  }

  /// Copies to the host and waits.
  func copyToHost(_ target: UnsafeMutableRawPointer, _ source: DevicePointer, _ bytes: Int) throws(CUDAError) {
    guard bytes > 0 else { return }
    try enter()
    try driver.check(driver.copyToHost(target, source, bytes, stream), "cuMemcpyDtoHAsync(\(bytes))")
    try synchronize()
  }

  func copy(_ target: DevicePointer, from source: DevicePointer, _ bytes: Int) throws(CUDAError) {
    guard bytes > 0 else { return }
    try enter()
    try driver.check(driver.copyOnDevice(target, source, bytes, stream), "cuMemcpyDtoDAsync(\(bytes))")
  }

  /// Sets `count` 32-bit words.
  func fill(_ target: DevicePointer, word: UInt32, count: Int) throws(CUDAError) {
    guard count > 0 else { return }
    try enter()
    try driver.check(driver.fill32(target, word, count, stream), "cuMemsetD32Async(\(count))")
  }

  /// Sets `count` 16-bit words.
  func fill(_ target: DevicePointer, halfWord: UInt16, count: Int) throws(CUDAError) {
    guard count > 0 else { return }
    try enter()
    try driver.check(driver.fill16(target, halfWord, count, stream), "cuMemsetD16Async(\(count))")
  }

  func synchronize() throws(CUDAError) {
    try enter()
    try driver.check(driver.synchronize(stream), "cuStreamSynchronize")
  }
}

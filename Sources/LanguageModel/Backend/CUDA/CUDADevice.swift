/// A CUDA device of this machine.
package struct CUDADevice: Sendable, Hashable {
  /// Number as CUDA counts the visible devices, from 0.
  package let index: Int
  /// Such as "NVIDIA H200".
  package let name: String
  /// Bytes.
  package let memory: Int
  /// Compute capability, such as 9.0.
  package let major: Int
  package let minor: Int
  package let processors: Int
  /// Bytes of shared memory that one block may have.
  package let sharedMemory: Int
  /// PCI bus id, such as "0000:1b:00.0".
  package let busID: String

  /// "sm_90".
  package var architecture: String { "sm_\(major)\(minor)" }
  /// Oldest compute capability that the kernels are written for: bf16 in the matrix units.
  static let oldest = (major: 8, minor: 0)

  /// The devices that this process may use, in CUDA's order.
  ///
  /// Throws `CUDAError` (`unavailable` where there is no driver, `device` where it fails).
  package static func all() throws -> [CUDADevice] { try all(CUDADriver(.shared)) }

  static func all(_ driver: CUDADriver) throws(CUDAError) -> [CUDADevice] {
    try driver.check(driver.initialize(0), "cuInit")
    var count: Int32 = 0
    try driver.check(driver.deviceCount(&count), "cuDeviceGetCount")
    var result: [CUDADevice] = []
    for index in 0..<count { result.append(try CUDADevice(driver, Int(index))) }
    return result
  }

  init(_ driver: CUDADriver, _ index: Int) throws(CUDAError) {
    var device: Int32 = 0
    try driver.check(driver.device(&device, Int32(index)), "cuDeviceGet(\(index))")
    func attribute(_ number: Int32) throws(CUDAError) -> Int {
      var value: Int32 = 0
      try driver.check(driver.deviceAttribute(&value, number, device), "cuDeviceGetAttribute(\(number))")
      return Int(value)
    }
    func text(_ read: (UnsafeMutablePointer<CChar>, Int32, Int32) -> Int32) -> String {
      var buffer = [CChar](repeating: 0, count: 256)
      guard read(&buffer, 255, device) == 0 else { return "" }
      return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    self.index = index
    name = text(driver.deviceName)
    busID = text(driver.deviceBusID)
    var bytes = 0
    try driver.check(driver.deviceMemory(&bytes, device), "cuDeviceTotalMem")
    memory = bytes
    major = try attribute(CUDADriver.Constant.attributeMajor)
    minor = try attribute(CUDADriver.Constant.attributeMinor)
    processors = try attribute(CUDADriver.Constant.attributeProcessors)
    sharedMemory = try attribute(CUDADriver.Constant.attributeSharedMemory)
  }
}

/// What of CUDA is there, for people.
package struct CUDADiagnosis: Sendable {
  /// Whether the driver is there at all: without it nothing else is expected.
  package var hasDriver: Bool
  /// Whether a backend can be opened.
  package var isUsable: Bool
  /// One line: versions and devices, or what is missing and where it was looked for.
  package var text: String

  /// Looks at this machine.
  ///
  /// Opens the libraries but no device.
  package static func make() -> CUDADiagnosis { make(.shared) }

  static func make(_ symbols: CUDASymbols) -> CUDADiagnosis {
    var hasDriver = false
    do {
      let driver = try CUDADriver(symbols)
      hasDriver = true
      let devices = try CUDADevice.all(driver)
      var version: Int32 = 0
      _ = driver.driverVersion(&version)
      let major = Int(version) / 1000
      let compiler = try KernelCompiler(symbols, driverVersion: major)
      let products = try MatrixProducts.version(symbols, driverVersion: major)
      let names = devices.map { device in
        let isOld = (device.major, device.minor) < CUDADevice.oldest
        return "cuda:\(device.index) \(device.name) (\(device.memory >> 30) GiB, \(device.architecture)"
          + "\(isOld ? ", too old for this backend" : ""))"
      }
      return CUDADiagnosis(
        hasDriver: true, isUsable: !devices.isEmpty,
        text: "driver for CUDA \(major).\(Int(version) % 1000 / 10), NVRTC \(compiler.version), cuBLASLt \(products); "
          + (names.isEmpty ? "no device" : names.joined(separator: ", ")))
    } catch {
      return CUDADiagnosis(hasDriver: hasDriver, isUsable: false, text: "\(error)")
    }
  }
}

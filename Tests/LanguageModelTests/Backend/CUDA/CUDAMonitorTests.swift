import CUDAEmulation
import Testing

@testable import LanguageModel

extension EmulatedCUDATests {
  /// What a device says of itself.
  struct Monitoring {
    /// Utilisation and memory as NVML tells them; a device that cannot be asked says nothing.
    @Test func monitoring() throws {
      try EmulatedCUDA.run {
        let monitor = try CUDAMonitor(device: 0, symbols: EmulatedCUDA.symbols)
        #expect(monitor.device.name == "Emulated GPU")
        #expect(monitor.read().utilization == nil)
        cuda_emulation_set_utilization(61)
        let backend = try EmulatedCUDA.backend(.float32)
        let x = try backend.makeTensor(rows: 1024, columns: 1024, kind: .parameter)
        #expect(monitor.read().utilization == 61)
        #expect(monitor.read().memoryUsed == Int(cuda_emulation_allocated_bytes()))
        #expect(try #require(monitor.read().memoryUsed) >= x.count * 4)
        #expect(throws: CUDAError.self) { _ = try CUDAMonitor(device: 1, symbols: EmulatedCUDA.symbols) }
        // Without NVML the device is known all the same.
        let bare = CUDASymbols { (library, version, name) throws(CUDAError) in
          guard library != .management else { throw CUDAError(.unavailable, "no NVML") }
          return try EmulatedCUDA.symbols.address(library, version, name)
        }
        #expect(try CUDAMonitor(device: 0, symbols: bare).read() == CUDAMonitor.Reading())
      }
    }
  }
}

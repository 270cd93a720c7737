import Foundation
import LanguageModel
import MemoryRecipe
import Study
import WireProtocol
import Worker

/// Where a worker computes: `cpu`, or `cuda:N` with N as CUDA counts the visible devices.
package enum Devices {
  private enum Device {
    case cpu
    case cuda(Int)

    init(_ text: String) throws {
      if text == "cpu" {
        self = .cpu
      } else if text.hasPrefix("cuda:"), let index = Int(text.dropFirst(5)), index >= 0 {
        self = .cuda(index)
      } else {
        throw CommandError(.usage, "--device \(text): write cpu, or cuda:N such as cuda:0")
      }
    }
  }

  /// The backend of a device.
  ///
  /// On a GPU `automatic` is bf16. `memoryLimit`: most bytes to use; nil = what is free on a GPU, what the machine has on
  /// the CPU.
  package static func backend(
    _ device: String, precision: Precision, threads: Int?, memoryLimit: Int? = nil
  ) throws -> any Backend {
    switch try Device(device) {
    case .cuda(let index):
      return try CUDABackend(
        device: index, precision: precision == .f32 ? .float32 : .bfloat16, memoryLimit: memoryLimit)
    case .cpu:
      let wanted: CPUPrecision =
        switch precision {
        case .automatic: .automatic
        case .f32: .float32
        case .bf16: .bfloat16
        }
      return try CPUBackend(precision: wanted, threads: threads, memoryLimit: memoryLimit)
    }
  }

  /// Refuses a device that this machine does not have, before anything is made.
  package static func check(_ device: String) throws {
    guard case .cuda(let index) = try Device(device) else { return }
    do {
      _ = try GPUDiscovery.devices("\(index)", .read())
    } catch let failure as GPUDiscovery.Failure {
      throw CommandError(.refused, "--device \(device): \(failure.reason)")
    }
  }

  /// How a GPU stands, to be asked again and again; nil for the CPU and where no driver is.
  package static func status(of device: String) -> (@Sendable () -> DeviceStatus?)? {
    // A wrong name was refused by `check`; without a driver there is nothing to ask.
    guard case .cuda(let index)? = try? Device(device), let monitor = try? CUDAMonitor(device: index) else {
      return nil
    }
    return {
      let reading = monitor.read()
      return DeviceStatus(
        name: monitor.device.name, memoryBytes: Int64(monitor.device.memory),
        memoryUsedBytes: reading.memoryUsed.map { Int64($0) }, utilizationPercent: reading.utilization)
    }
  }

  /// Main memory in bytes.
  package static var memoryBytes: Int64 { Int64(ProcessInfo.processInfo.physicalMemory) }

  /// Memory of a device in bytes: main memory for the CPU, and for a GPU that cannot be asked.
  package static func memoryBytes(of device: String) -> Int64 {
    // As above: the trainer says what is wrong with the device.
    guard case .cuda(let index)? = try? Device(device),
      let found = try? CUDADevice.all().first(where: { $0.index == index })
    else { return memoryBytes }
    return Int64(found.memory)
  }
}

extension Devices {
  /// The devices that `--gpus` (all, 0,2) or `--device` (cpu, or a list) name.
  package static func workers(gpus: String?, device: String) throws -> [GPUDevice] {
    if let gpus {
      do {
        return try GPUDiscovery.devices(gpus, .read())
      } catch let failure as GPUDiscovery.Failure {
        throw CommandError(.refused, failure.description)
      }
    }
    let listed = device.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard !listed.contains("") else { throw CommandError(.usage, "--device \(device): an entry is empty") }
    return listed.enumerated().map { index, device in
      let isRepeated = listed.count { $0 == device } > 1
      return GPUDevice(device: device, label: isRepeated ? "\(device).\(index)" : device)
    }
  }
}

import Foundation
import TestSupport
import Testing

@testable import Worker

@Suite("Devices and fleets", .bounded) struct FleetTests {
  private func information(_ minor: Int, _ identifier: String) -> String {
    """
    Model: \t\t NVIDIA H200
    IRQ:   \t\t 226
    GPU UUID: \t GPU-\(identifier)
    Video BIOS: \t 96.00.89.00.01
    Bus Type: \t PCIe
    DMA Size: \t 52 bits
    Bus Location: \t 0000:0\(minor):00.0
    Device Minor: \t \(minor)
    GPU Excluded:\t No
    """
  }

  private var four: GPUEvidence {
    GPUEvidence(
      driver: "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15",
      information: [
        information(0, "aaaa1111"), information(1, "aaaa2222"), information(2, "bbbb3333"), information(3, "cccc4444"),
      ], deviceNodes: [0, 1, 2, 3])
  }

  private func names(_ choice: String, _ evidence: GPUEvidence) throws -> [String] {
    try GPUDiscovery.devices(choice, evidence).map(\.device)
  }

  private func failure(_ choice: String, _ evidence: GPUEvidence) -> String {
    do {
      return "found \(try names(choice, evidence))"
    } catch {
      return "\(error)"
    }
  }

  @Test func allDevicesOfAMachine() throws {
    #expect(try names("all", four) == ["cuda:0", "cuda:1", "cuda:2", "cuda:3"])
    #expect(try GPUDiscovery.devices("all", four)[0].model == "NVIDIA H200")
    #expect(try names("0,2", four) == ["cuda:0", "cuda:2"])
  }

  @Test func visibleDevicesAreCountedAsCUDACounts() throws {
    var evidence = four
    evidence.visibleDevices = "2,3"
    #expect(try names("all", evidence) == ["cuda:0", "cuda:1"])
    #expect(failure("2", evidence).contains("2 visible"))
    // The first entry without a meaning ends the list; abbreviated identifiers must be unique.
    evidence.visibleDevices = "1,7,0"
    #expect(try names("all", evidence) == ["cuda:0"])
    evidence.visibleDevices = "GPU-bbbb, GPU-cccc4444"
    #expect(try names("all", evidence) == ["cuda:0", "cuda:1"])
    evidence.visibleDevices = "GPU-cccc,GPU-aaaa"
    #expect(try names("all", evidence) == ["cuda:0"])
    for none in ["", "-1", "NoDevFiles"] {
      evidence.visibleDevices = none
      #expect(failure("all", evidence).contains("shows none of them"))
    }
  }

  @Test func slicesGetAnEnvironmentOfTheirOwn() throws {
    var evidence = four
    evidence.visibleDevices = "MIG-1111,MIG-2222"
    let devices = try GPUDiscovery.devices("all", evidence)
    #expect(devices.map(\.device) == ["cuda:0", "cuda:0"])
    #expect(devices.map { $0.environment["CUDA_VISIBLE_DEVICES"] } == ["MIG-1111", "MIG-2222"])
    #expect(Set(devices.map(\.label)).count == 2)
  }

  @Test func containersWithFewerDeviceFilesOrWithoutTheDriversList() throws {
    var evidence = four
    evidence.deviceNodes = [1]
    #expect(try names("all", evidence) == ["cuda:0"])
    #expect(try names("all", GPUEvidence(deviceNodes: [0, 5])) == ["cuda:0", "cuda:1"])
  }

  @Test func withoutAGPUTheMessageSaysWhatWasLookedFor() {
    let text = failure("all", GPUEvidence())
    for part in ["no GPU found", "/proc/driver/nvidia", "/dev/nvidia0", "CUDA_VISIBLE_DEVICES", "--device cpu"] {
      #expect(text.contains(part), "\(text)")
    }
    #expect(failure("all", GPUEvidence(driver: "550")).contains("scheduler or container"))
    for bad in ["", "x", "0,,1", "-1", "0,0"] { #expect(failure(bad, four).contains("--gpus"), "\(bad)") }
  }

  @Test func evidenceIsReadFromFiles() throws {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("gpus-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    func write(_ path: String, _ text: String) throws {
      let file = root.appendingPathComponent(path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    #expect(GPUEvidence.read(root: root, environment: [:]) == GPUEvidence())
    try write("proc/driver/nvidia/version", "NVRM version: 550\nGCC version: 12\n")
    try write("proc/driver/nvidia/gpus/0000:0a:00.0/information", information(1, "b"))
    try write("proc/driver/nvidia/gpus/0000:01:00.0/information", information(0, "a"))
    for node in ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"] { try write("dev/\(node)", "") }
    let found = GPUEvidence.read(root: root, environment: ["CUDA_VISIBLE_DEVICES": "1"])
    #expect(found.driver == "NVRM version: 550" && found.deviceNodes == [0, 1] && found.visibleDevices == "1")
    #expect(found.information.count == 2 && found.information[0].contains("GPU-a"))
  }
}

import Experiment
import TestSupport
import Testing

@Suite("Devices of workers", .bounded) struct WorkerDevicesTests {
  @Test("every entry is a worker; devices that stand twice are told apart") func list() throws {
    #expect(try Devices.workers(gpus: nil, device: "cpu").map(\.label) == ["cpu"])
    #expect(try Devices.workers(gpus: nil, device: "cpu,cuda:1,cpu").map(\.label) == ["cpu.0", "cuda:1", "cpu.2"])
  }

  @Test("an empty entry is a usage error") func empty() throws {
    let error = #expect(throws: CommandError.self) { try Devices.workers(gpus: nil, device: "cpu,") }
    #expect(error?.status == .usage && error?.message == "--device cpu,: an entry is empty")
  }

  @Test("a device that does not exist is refused with what is there, without the words of another option")
  func missing() throws {
    let error = #expect(throws: CommandError.self) { try Devices.check("cuda:4711") }
    #expect(error?.status == .refused && error?.message.hasPrefix("--device cuda:4711: ") == true)
    #expect(error?.message.contains("--gpus 4711") == false)
  }
}

import TestSupport
import Testing

@testable import Processes

@Suite("The program itself", .bounded) struct OwnProgramTests {
  @Test("the kernel's word counts unless a start script names itself by a full path")
  func paths() {
    #expect(OwnProgram.path(environment: [:], kernel: "/usr/bin/engram") == "/usr/bin/engram")
    #expect(
      OwnProgram.path(environment: ["ENGRAM_EXECUTABLE": "/opt/engram/bin/engram"], kernel: "/opt/engram/lib/ld.so")
        == "/opt/engram/bin/engram")
    #expect(
      OwnProgram.path(environment: ["ENGRAM_EXECUTABLE": "engram"], kernel: "/usr/bin/engram") == "/usr/bin/engram")
  }
}

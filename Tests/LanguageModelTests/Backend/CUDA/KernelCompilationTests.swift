import Foundation
import TestSupport
import Testing

@testable import LanguageModel

/// Every kernel through the real compiler, for the architectures that the backend is meant for.
///
/// Runs where NVRTC is found (no GPU and no driver are needed); elsewhere it says why not.
@Suite(.bounded) struct KernelCompilationTests {
  static let compiler: KernelCompiler? = {
    do {
      return try KernelCompiler(.shared, driverVersion: 13)
    } catch {
      print("kernels were not compiled: \(error)")
      return nil
    }
  }()

  /// (architecture, bf16): both forms for each; with ENGRAM_CUDA_ALL also for smaller devices.
  private static var forms: [(String, Bool)] {
    let all = ProcessInfo.processInfo.environment["ENGRAM_CUDA_ALL"] != nil
    let architectures = ["sm_80", "sm_90", "sm_100"] + (all ? ["sm_86", "sm_89", "sm_120"] : [])
    return architectures.flatMap { [($0, true), ($0, false)] }
  }

  @Test(
    .enabled(
      if: KernelCompilationTests.compiler != nil,
      "no NVRTC here: pip install nvidia-cuda-nvrtc, or set ENGRAM_CUDA_HOME"))
  func everyKernelCompiles() async throws {
    let compiler = try #require(Self.compiler)
    let files = KernelCompiler.files
    #expect(files.count == 9)
    try await withThrowingTaskGroup(of: (String, [CChar]).self) { group in
      for (architecture, bfloat16) in Self.forms {
        #expect(compiler.knownArchitectures.contains(Int(architecture.dropFirst(3)) ?? 0))
        for file in files {
          group.addTask {
            (file.name, try compiler.compile(file, target: architecture, bfloat16: bfloat16))
          }
        }
      }
      for try await (name, image) in group {
        // An ELF file that names each kernel of the source.
        #expect(image.prefix(4).map { UInt8(bitPattern: $0) } == [0x7f, 0x45, 0x4c, 0x46], "\(name)")
        let bytes = Data(image.map { UInt8(bitPattern: $0) })
        for kernel in CUDAKernel.allCases where kernel.file == name {
          #expect(bytes.range(of: Data(".text.\(kernel.rawValue)".utf8)) != nil, "\(kernel.rawValue) in \(name)")
        }
      }
    }
  }

  @Test func theBinaryCarriesTheText() {
    let files = KernelCompiler.files
    #expect(files.allSatisfy { $0.text.contains("KERNEL(") && $0.text.contains("#include \"common.cuh\"") })
    #expect(Set(CUDAKernel.allCases.map(\.file)) == Set(files.map(\.name)))
  }

  @Test(.enabled(if: KernelCompilationTests.compiler != nil, "no NVRTC here"))
  func aMistakeIsReportedInTheCompilersWords() throws {
    let compiler = try #require(Self.compiler)
    let error = #expect(throws: CUDAError.self) {
      try compiler.compile(("mistake.cu", "KERNEL(32, f, int x) { undeclared = x; }"), target: "sm_90", bfloat16: true)
    }
    #expect(error?.code == .compilation)
    #expect(error?.description.contains("mistake.cu") == true)
    #expect(error?.call.contains("nvrtcCompileProgram") == true)
  }
}

import CUDAKernels
import Foundation
import Foundations

/// Compiles the kernels' text for a device with NVRTC (NVRTC manual: nvrtcResult 0 = success).
struct KernelCompiler: Sendable {
  private typealias Program = UnsafeMutableRawPointer
  private typealias Names = UnsafePointer<UnsafePointer<CChar>?>
  private typealias Get = @convention(c) @Sendable (UnsafeMutableRawPointer?, UnsafeMutablePointer<CChar>) -> Int32
  private typealias GetSize = @convention(c) @Sendable (UnsafeMutableRawPointer?, UnsafeMutablePointer<Int>) -> Int32

  private let versionOf: @convention(c) @Sendable (UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int32>) -> Int32
  private let architectureCount: @convention(c) @Sendable (UnsafeMutablePointer<Int32>) -> Int32
  private let architectures: @convention(c) @Sendable (UnsafeMutablePointer<Int32>) -> Int32
  private let errorText: @convention(c) @Sendable (Int32) -> UnsafePointer<CChar>?
  private let create:
    @convention(c) @Sendable (
      UnsafeMutablePointer<Program?>, UnsafePointer<CChar>, UnsafePointer<CChar>, Int32, Names, Names
    ) -> Int32
  private let destroy: @convention(c) @Sendable (UnsafeMutablePointer<Program?>) -> Int32
  private let compile: @convention(c) @Sendable (Program?, Int32, Names) -> Int32
  private let (cubinSize, ptxSize, logSize): (GetSize, GetSize, GetSize)
  private let (cubin, ptx, log): (Get, Get, Get)

  /// Opens NVRTC.
  ///
  /// Throws `CUDAError` (`unavailable`).
  init(_ symbols: CUDASymbols, driverVersion: Int) throws(CUDAError) {
    func load<Function>(_ name: String, _ type: Function.Type = Function.self) throws(CUDAError) -> Function {
      try symbols.load(.compiler, driverVersion: driverVersion, name, as: type)
    }
    versionOf = try load("nvrtcVersion")
    architectureCount = try load("nvrtcGetNumSupportedArchs")
    architectures = try load("nvrtcGetSupportedArchs")
    errorText = try load("nvrtcGetErrorString")
    create = try load("nvrtcCreateProgram")
    destroy = try load("nvrtcDestroyProgram")
    compile = try load("nvrtcCompileProgram")
    cubinSize = try load("nvrtcGetCUBINSize")
    ptxSize = try load("nvrtcGetPTXSize")
    logSize = try load("nvrtcGetProgramLogSize")
    cubin = try load("nvrtcGetCUBIN")
    ptx = try load("nvrtcGetPTX")
    log = try load("nvrtcGetProgramLog")
  }

  /// NVRTC's version, such as "13.0".
  var version: String {
    var (major, minor): (Int32, Int32) = (0, 0)
    _ = versionOf(&major, &minor)
    return "\(major).\(minor)"
  }

  /// Compute capabilities that NVRTC knows, as 80, 90, 100.
  var knownArchitectures: [Int] {
    var count: Int32 = 0
    guard architectureCount(&count) == 0, count > 0 else { return [] }
    var result = [Int32](repeating: 0, count: Int(count))
    _ = architectures(&result)
    return result.map(Int.init).sorted()
  }

  /// The target for a compute capability: machine code where NVRTC knows it, else the newest PTX that the driver can
  /// translate for it.
  static func target(major: Int, minor: Int, known: [Int]) -> (option: String, isMachineCode: Bool)? {
    let own = major * 10 + minor
    if known.contains(own) { return ("sm_\(own)", true) }
    return known.last { $0 <= own }.map { ("compute_\($0)", false) }
  }

  /// Files of kernels that the binary carries: (name, text).
  static var files: [(name: String, text: String)] {
    var result: [(String, String)] = []
    while true {
      let file = engram_cuda_kernel_file(Int32(result.count))
      let name = String(cString: file.name)
      guard !name.isEmpty else { return result }
      result.append((name, String(cString: file.text)))
    }
  }

  /// Compiles one file for `target` ("sm_90", or "compute_90" for PTX).
  ///
  /// Throws `CUDAError` (`compilation`) with NVRTC's own words.
  func compile(_ file: (name: String, text: String), target: String, bfloat16: Bool) throws(CUDAError) -> [CChar] {
    var program: Program?
    defer { if program != nil { _ = destroy(&program) } }
    let options = Self.options(target: target, bfloat16: bfloat16)
    var status = Self.withStrings(["common.cuh"]) { names in
      var header: UnsafePointer<CChar>? = engram_cuda_common.text
      return create(&program, file.text, file.name, 1, &header, names)
    }
    guard status == 0 else { throw failure("nvrtcCreateProgram(\(file.name))", status, "") }
    status = Self.withStrings(options) { compile(program, Int32(options.count), $0) }
    guard status == 0 else { throw failure("nvrtcCompileProgram(\(file.name), \(target))", status, log(of: program)) }
    let isMachineCode = target.hasPrefix("sm_")
    var size = 0
    status = isMachineCode ? cubinSize(program, &size) : ptxSize(program, &size)
    guard status == 0, size > 0 else { throw failure("nvrtcGetCUBINSize(\(file.name))", status, "") }
    var image = [CChar](repeating: 0, count: size)
    status = isMachineCode ? cubin(program, &image) : ptx(program, &image)
    guard status == 0 else { throw failure("nvrtcGetCUBIN(\(file.name))", status, "") }
    return image
  }

  static func options(target: String, bfloat16: Bool) -> [String] {
    ["--gpu-architecture=\(target)", "--std=c++17", "-DENGRAM_BF16=\(bfloat16 ? 1 : 0)"]
  }

  /// Name of a compiled file in a cache: what goes into the compilation, hashed.
  func fingerprint(_ file: (name: String, text: String), target: String, bfloat16: Bool) -> String {
    var hash = SHA256()
    for part in [version, file.text, String(cString: engram_cuda_common.text)]
      + Self.options(target: target, bfloat16: bfloat16)
    {
      hash.update(part + "\0")
    }
    return hash.hex
  }

  private func failure(_ call: String, _ status: Int32, _ log: String) -> CUDAError {
    let text = errorText(status).map { String(cString: $0) } ?? ""
    return CUDAError(.compilation, call: call, status: Int(status), log.isEmpty ? text : "\(text)\n\(log)")
  }

  private func log(of program: Program?) -> String {
    var size = 0
    guard logSize(program, &size) == 0, size > 1 else { return "" }
    var text = [CChar](repeating: 0, count: size)
    guard log(program, &text) == 0 else { return "" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Calls `body` with C strings.
  private static func withStrings<Result>(_ strings: [String], _ body: (Names) -> Result) -> Result {
    let bytes = strings.map { Array($0.utf8CString) }
    let all = bytes.flatMap { $0 }
    return all.withUnsafeBufferPointer { buffer in
      var pointers: [UnsafePointer<CChar>?] = []
      var offset = 0
      for string in bytes {
        pointers.append(buffer.baseAddress.map { $0 + offset })
        offset += string.count
      }
      return pointers.withUnsafeBufferPointer { list in
        withUnsafePointer(to: nil as UnsafePointer<CChar>?) { body(list.baseAddress ?? $0) }
      }
    }
  }
}

import Foundation
import Foundations

/// The kernels of one device: compiled file by file when first wanted, kept on disk, launched by name.
final class KernelLibrary {
  /// A loaded kernel.
  private struct Loaded {
    let function: CUDADriver.Handle
    /// Sizes of its parameters as the compiler made them; nil where the driver cannot say.
    let parameters: [Int]?
    var sharedMemory: Int
    var isChecked = false
  }

  private let context: CUDAContext
  private let compiler: KernelCompiler
  private let bfloat16: Bool
  private let cache: URL?
  private let target: String
  private var modules: [String: CUDADriver.Handle] = [:]
  private var kernels: [CUDAKernel: Loaded] = [:]
  private var words: [UInt64] = []
  private var offsets: [Int] = []
  private var pointers: [UnsafeMutableRawPointer?] = []
  /// Dynamic shared memory that a kernel may use without asking.
  private static let ordinarySharedMemory = 48 << 10

  /// `cache`: folder for compiled kernels, nil = none.
  init(context: CUDAContext, compiler: KernelCompiler, bfloat16: Bool, cache: URL?) throws(CUDAError) {
    self.context = context
    self.compiler = compiler
    self.bfloat16 = bfloat16
    self.cache = cache
    let (major, minor) = (context.device.major, context.device.minor)
    guard let target = KernelCompiler.target(major: major, minor: minor, known: compiler.knownArchitectures) else {
      throw CUDAError(
        .unsupported,
        "NVRTC \(compiler.version) compiles nothing that \(context.device.name) (compute capability \(major).\(minor)) can "
          + "run; install an NVRTC that knows it (pip install nvidia-cuda-nvrtc) or set \(CUDALibrarySearch.variable)")
    }
    self.target = target.option
  }

  deinit {
    if (try? context.enter()) != nil {
      for module in modules.values { _ = context.driver.unloadModule(module) }
    }
  }

  /// Launches a kernel: `threads` per block, a whole number of warps; `shared` bytes of dynamic shared memory.
  func launch(
    _ kernel: CUDAKernel, grid: (Int, Int, Int), threads: Int, shared: Int = 0, _ arguments: [KernelArgument]
  ) throws(CUDAError) {
    try context.enter()
    let function = try prepare(kernel, shared, arguments)
    words.removeAll(keepingCapacity: true)
    offsets.removeAll(keepingCapacity: true)
    for argument in arguments {
      offsets.append(words.count)
      argument.append(to: &words)
    }
    let driver = context.driver
    let stream = context.stream
    let status = words.withUnsafeMutableBufferPointer { words in
      pointers.removeAll(keepingCapacity: true)
      for offset in offsets { pointers.append(words.baseAddress.map { UnsafeMutableRawPointer($0 + offset) }) }
      return pointers.withUnsafeMutableBufferPointer { pointers in
        driver.launch(
          function, UInt32(grid.0), UInt32(grid.1), UInt32(grid.2), UInt32(threads), 1, 1, UInt32(shared), stream,
          pointers.baseAddress, nil)
      }
    }
    try driver.check(status, "cuLaunchKernel(\(kernel.rawValue))")
  }

  /// Launches a kernel with at least `count` threads.
  func launch(_ kernel: CUDAKernel, count: Int, _ arguments: [KernelArgument]) throws(CUDAError) {
    guard count > 0 else { return }
    try launch(kernel, grid: ((count + 255) / 256, 1, 1), threads: 256, arguments)
  }

  private func prepare(_ kernel: CUDAKernel, _ shared: Int, _ arguments: [KernelArgument]) throws(CUDAError)
    -> CUDADriver.Handle
  {
    var loaded: Loaded
    if let known = kernels[kernel] {
      if known.isChecked, shared <= known.sharedMemory { return known.function }
      loaded = known
    } else {
      loaded = try load(kernel)
    }
    if !loaded.isChecked {
      if let parameters = loaded.parameters, parameters != arguments.map(\.size) {
        throw CUDAError(
          .compilation, call: "cuLaunchKernel(\(kernel.rawValue))",
          "arguments of \(arguments.map(\.size)) bytes for parameters of \(parameters)")
      }
      loaded.isChecked = true
    }
    if shared > loaded.sharedMemory {
      guard shared <= context.device.sharedMemory else {
        throw CUDAError(
          .unsupported, call: "cuLaunchKernel(\(kernel.rawValue))",
          "\(shared >> 10) KiB of shared memory are wanted and a block of \(context.device.name) can have "
            + "\(context.device.sharedMemory >> 10): use bf16 instead of 32 bits, shorter sequences, or a larger device"
        )
      }
      try context.driver.check(
        context.driver.setFunctionAttribute(
          loaded.function, CUDADriver.Constant.functionSharedMemory, Int32(shared)),
        "cuFuncSetAttribute(\(kernel.rawValue), shared memory \(shared))")
      loaded.sharedMemory = shared
    }
    kernels[kernel] = loaded
    return loaded.function
  }

  private func load(_ kernel: CUDAKernel) throws(CUDAError) -> Loaded {
    let module = try module(kernel.file)
    var function: CUDADriver.Handle?
    try context.driver.check(
      context.driver.function(&function, module, kernel.rawValue), "cuModuleGetFunction(\(kernel.rawValue))")
    guard let function else {
      throw CUDAError(.device, call: "cuModuleGetFunction(\(kernel.rawValue))", "no function came back")
    }
    var parameters: [Int]?
    if let info = context.driver.parameterInfo {
      var sizes: [Int] = []
      var (offset, size) = (0, 0)
      while info(function, sizes.count, &offset, &size) == 0 { sizes.append(size) }
      parameters = sizes
    }
    return Loaded(function: function, parameters: parameters, sharedMemory: Self.ordinarySharedMemory)
  }

  private func module(_ file: String) throws(CUDAError) -> CUDADriver.Handle {
    if let module = modules[file] { return module }
    guard let source = KernelCompiler.files.first(where: { $0.name == file }) else {
      throw CUDAError(.compilation, "this binary carries no kernels called \(file)")
    }
    // The cache is keyed by what goes into a compilation: the kernels' text, the device's architecture, NVRTC's version.
    let kept = cache?.appendingPathComponent(
      compiler.fingerprint(source, target: target, bfloat16: bfloat16) + ".image")
    if let kept, let data = try? Data(contentsOf: kept), !data.isEmpty {
      // A damaged file is compiled again and replaced.
      if let module = try? load(data.map { CChar(bitPattern: $0) }, file) { return keep(module, file) }
    }
    let image = try compiler.compile(source, target: target, bfloat16: bfloat16)
    let module = try load(image, file)
    if let kept, let cache {
      // A cache that cannot be written costs time only.
      try? FileManager.default.createDirectory(at: cache, withIntermediateDirectories: true)
      try? AtomicFile.write(
        Data(image.map { UInt8(bitPattern: $0) }), to: kept, mode: nil, isDurable: false)
    }
    return keep(module, file)
  }

  private func keep(_ module: CUDADriver.Handle, _ file: String) -> CUDADriver.Handle {
    modules[file] = module
    return module
  }

  private func load(_ image: [CChar], _ file: String) throws(CUDAError) -> CUDADriver.Handle {
    var module: CUDADriver.Handle?
    let status = image.withUnsafeBytes { bytes in
      bytes.baseAddress.map { context.driver.loadModule(&module, $0) } ?? 1
    }
    try context.driver.check(status, "cuModuleLoadData(\(file), \(target))")
    guard let module else { throw CUDAError(.device, call: "cuModuleLoadData(\(file))", "no module came back") }
    return module
  }
}

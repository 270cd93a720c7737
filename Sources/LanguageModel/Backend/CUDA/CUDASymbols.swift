import Glibc
import Synchronization

/// Entry points of CUDA's libraries by name: from shared libraries, or a test's emulation of them.
struct CUDASymbols: Sendable {
  /// The address of a function of a library, or an error that says where it was looked for.
  ///
  /// `driverVersion`: the driver's major version; 0 where it is not known yet.
  var address:
    @Sendable (CUDALibrary, _ driverVersion: Int, _ name: String) throws(CUDAError) -> UnsafeMutableRawPointer

  /// A function of a library; `type` is its calling convention.
  func load<Function>(
    _ library: CUDALibrary, driverVersion: Int, _ name: String, as type: Function.Type
  ) throws(CUDAError) -> Function {
    unsafeBitCast(try address(library, driverVersion, name), to: type)
  }

  /// The shared libraries of this machine.
  static let shared: CUDASymbols = {
    let libraries = OpenedLibraries(search: .standard)
    return CUDASymbols { (library, driverVersion, name) throws(CUDAError) in
      try libraries.symbol(library, driverVersion: driverVersion, name)
    }
  }()
}

/// Libraries that were opened once and stay open.
private final class OpenedLibraries: Sendable {
  private let search: CUDALibrarySearch
  /// The loader's handles as numbers.
  private let handles = Mutex<[CUDALibrary: UInt]>([:])

  init(search: CUDALibrarySearch) { self.search = search }

  func symbol(_ library: CUDALibrary, driverVersion: Int, _ name: String) throws(CUDAError) -> UnsafeMutableRawPointer {
    let handle = try open(library, driverVersion)
    guard let symbol = dlsym(UnsafeMutableRawPointer(bitPattern: handle), name) else {
      throw CUDAError(
        .unavailable, call: name, "\(library.title) on this machine has no \(name); it is too old, install a newer one")
    }
    return symbol
  }

  private func open(_ library: CUDALibrary, _ driverVersion: Int) throws(CUDAError) -> UInt {
    try handles.withLock { handles throws(CUDAError) in
      if let handle = handles[library] { return handle }
      var refusals: [String] = []
      for candidate in search.candidates(library, driverVersion: driverVersion) {
        if let opened = dlopen(candidate, RTLD_NOW | RTLD_LOCAL) {
          let handle = UInt(bitPattern: opened)
          handles[library] = handle
          return handle
        }
        // "No such file" is the ordinary answer; anything else is worth showing.
        let text = dlerror().map { String(cString: $0) } ?? ""
        if candidate.hasPrefix("/") { refusals.append(text) }
      }
      throw search.missing(library, refusals: refusals)
    }
  }
}

extension CUDALibrarySearch {
  /// The error for a library that cannot be opened.
  func missing(_ library: CUDALibrary, refusals: [String]) -> CUDAError {
    if library == .driver {
      return CUDAError(
        .unavailable,
        "no CUDA here: the NVIDIA driver (libcuda.so.1) was not found in the system's library path; install the driver, "
          + "or use --device cpu")
    }
    if library == .management {
      return CUDAError(.unavailable, "NVML (libnvidia-ml.so.1), which comes with the NVIDIA driver, was not found")
    }
    let package = library == .compiler ? "nvidia-cuda-nvrtc" : "nvidia-cublas"
    let refused = refusals.isEmpty ? "" : " What was found could not be opened: \(refusals.joined(separator: "; "))."
    return CUDAError(
      .unavailable,
      "CUDA: \(library.title) (\(library.stem).13 or .12) was not found. Looked in: \(places).\(refused) Install the CUDA "
        + "toolkit or `pip install \(package)`, or set \(Self.variable) to the folder that holds it")
  }
}

import Foundation

/// A library that the CUDA backend opens at run time.
enum CUDALibrary: String, Sendable, CaseIterable {
  case driver, compiler, products, management

  /// What it is called, and its versions: newest first.
  var title: String {
    switch self {
    case .driver: "the NVIDIA driver"
    case .compiler: "NVRTC"
    case .products: "cuBLASLt"
    case .management: "NVML"
    }
  }
  var stem: String {
    switch self {
    case .driver: "libcuda.so"
    case .compiler: "libnvrtc.so"
    case .products: "libcublasLt.so"
    case .management: "libnvidia-ml.so"
    }
  }
  /// Folders of the nvidia-* Python packages that hold it, relative to `site-packages/nvidia`.
  var packageFolders: [String] {
    switch self {
    case .driver, .management: []
    case .compiler: ["cu13/lib", "cuda_nvrtc/lib"]
    case .products: ["cu13/lib", "cublas/lib"]
    }
  }
}

/// Where CUDA's libraries are looked for.
///
/// Order: the folder named by `ENGRAM_CUDA_HOME`; `CUDA_HOME` and `CUDA_PATH`; what the system's loader finds; toolkits
/// under /usr/local; the nvidia-* packages of the Python environments at hand.
struct CUDALibrarySearch: Sendable {
  var environment: [String: String]
  /// Names in a folder, [] where there is none.
  var list: @Sendable (String) -> [String]

  /// The search of this process.
  static var standard: CUDALibrarySearch {
    CUDALibrarySearch(environment: ProcessInfo.processInfo.environment) {
      (try? FileManager.default.contentsOfDirectory(atPath: $0))?.sorted() ?? []
    }
  }

  /// The folder that the user named; nil or "" = none.
  static let variable = "ENGRAM_CUDA_HOME"

  /// Major versions that are tried with a driver of major version `driver`: not newer than it where there is a choice,
  /// as a driver loads what its own and older toolkits compiled.
  static func versions(driver: Int) -> [Int] {
    let known = [13, 12]
    return known.filter { $0 <= driver } + known.filter { $0 > driver }
  }

  /// What to open, in order: paths, and bare names for the system's loader.
  func candidates(_ library: CUDALibrary, driverVersion: Int) -> [String] {
    // Both come with the driver.
    if library == .management { return ["libnvidia-ml.so.1", "libnvidia-ml.so"] }
    if library == .driver { return ["libcuda.so.1", "libcuda.so"] }
    let versions = Self.versions(driver: driverVersion)
    let names = versions.map { "\(library.stem).\($0)" } + [library.stem]
    var result: [String] = []
    func add(_ folders: [String]) {
      for name in names {
        for folder in folders where list(folder).contains(name) { result.append("\(folder)/\(name)") }
      }
    }
    if let named = nonEmpty(Self.variable) { add(toolkitFolders(named) + packageFolders(library, in: named)) }
    for variable in ["CUDA_HOME", "CUDA_PATH"] {
      if let named = nonEmpty(variable) { add(toolkitFolders(named)) }
    }
    result += names
    for toolkit in list("/usr/local").filter({ $0 == "cuda" || $0.hasPrefix("cuda-") }).reversed() {
      add(toolkitFolders("/usr/local/\(toolkit)"))
    }
    add(sitePackages.flatMap { packageFolders(library, in: $0) })
    return result
  }

  /// One line about where was looked.
  var places: String {
    let named = nonEmpty(Self.variable).map { "\(Self.variable)=\($0)" } ?? "\(Self.variable) (not set)"
    let toolkits = ["CUDA_HOME", "CUDA_PATH"].compactMap { name in nonEmpty(name).map { "\(name)=\($0)" } }
    let python = sitePackages
    return
      ([named] + toolkits + ["the system's library path", "/usr/local/cuda*"]
      + (python.isEmpty ? ["Python environments (none found)"] : python.map { "\($0)/nvidia" })).joined(separator: ", ")
  }

  private func nonEmpty(_ variable: String) -> String? {
    environment[variable].flatMap { $0.isEmpty ? nil : $0 }
  }

  private func toolkitFolders(_ home: String) -> [String] {
    [home] + ["lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"].map { "\(home)/\($0)" }
  }

  private func packageFolders(_ library: CUDALibrary, in site: String) -> [String] {
    library.packageFolders.flatMap { ["\(site)/nvidia/\($0)", "\(site)/\($0)"] }
  }

  /// site-packages and dist-packages folders of the Python environments that can be seen from here.
  private var sitePackages: [String] {
    let homes =
      ["VIRTUAL_ENV", "CONDA_PREFIX"].compactMap(nonEmpty) + (nonEmpty("HOME").map { ["\($0)/.local"] } ?? [])
    let prefixes = homes + ["/usr/local", "/usr"]
    let folders = prefixes.flatMap { prefix in
      list("\(prefix)/lib").filter { $0.hasPrefix("python3") }.flatMap {
        ["\(prefix)/lib/\($0)/site-packages", "\(prefix)/lib/\($0)/dist-packages"]
      }
    }
    let path = nonEmpty("PYTHONPATH").map { $0.split(separator: ":").map(String.init) } ?? []
    return (path + folders).filter { list($0).contains("nvidia") }
  }
}

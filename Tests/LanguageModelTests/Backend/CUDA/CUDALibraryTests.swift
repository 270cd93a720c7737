import Foundation
import TestSupport
import Testing

@testable import LanguageModel

/// Where CUDA's libraries are looked for, and what is said when they are not there.
@Suite(.bounded) struct CUDALibraryTests {
  private func search(_ environment: [String: String], _ folders: [String: [String]]) -> CUDALibrarySearch {
    CUDALibrarySearch(environment: environment) { folders[$0] ?? [] }
  }

  @Test func theNamedFolderComesFirst() {
    let folders = [
      "/opt/cuda/lib64": ["libnvrtc.so.12"], "/usr/local": ["cuda", "cuda-12.8"],
      "/usr/local/cuda/lib64": ["libnvrtc.so.13"],
    ]
    let found = search(["ENGRAM_CUDA_HOME": "/opt/cuda"], folders).candidates(.compiler, driverVersion: 13)
    #expect(
      found == [
        "/opt/cuda/lib64/libnvrtc.so.12", "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so",
        "/usr/local/cuda/lib64/libnvrtc.so.13",
      ])
  }

  @Test func pythonPackagesOfBothLayouts() {
    let site = "/venv/lib/python3.11/site-packages"
    let folders = [
      "/venv/lib": ["python3.11"], site: ["nvidia", "torch"],
      "\(site)/nvidia/cu13/lib": ["libnvrtc.so.13", "libcublasLt.so.13"],
      "\(site)/nvidia/cublas/lib": ["libcublasLt.so.12"],
    ]
    let search = search(["VIRTUAL_ENV": "/venv"], folders)
    #expect(search.candidates(.compiler, driverVersion: 13).last == "\(site)/nvidia/cu13/lib/libnvrtc.so.13")
    // A driver of version 12 prefers the libraries of its own time.
    #expect(
      search.candidates(.products, driverVersion: 12).suffix(2) == [
        "\(site)/nvidia/cublas/lib/libcublasLt.so.12", "\(site)/nvidia/cu13/lib/libcublasLt.so.13",
      ])
    #expect(search.places.contains("\(site)/nvidia"))
  }

  @Test func theMessageSaysWhereAndWhatToDo() {
    let error = search(["ENGRAM_CUDA_HOME": "/nowhere"], [:]).missing(.products, refusals: ["x.so: bad file"])
    #expect(error.code == .unavailable)
    for part in ["cuBLASLt", "/nowhere", "pip install nvidia-cublas", "ENGRAM_CUDA_HOME", "x.so: bad file"] {
      #expect(error.description.contains(part), "\(part) in: \(error)")
    }
  }

  /// Where there is no driver, opening says so; where there is one, it opens or says what else is missing.
  @Test func openingFailsCleanlyWithoutADriver() {
    do {
      let backend = try CUDABackend(device: 0)
      #expect(backend.memory.limit ?? 0 > 0)
    } catch let error as CUDAError {
      #expect(!error.description.isEmpty)
      if !FileManager.default.fileExists(atPath: "/dev/nvidia0") { #expect(error.code == .unavailable) }
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test func targetsOfDevices() {
    let known = [75, 80, 86, 90, 100]
    func target(_ major: Int, _ minor: Int) -> String? {
      KernelCompiler.target(major: major, minor: minor, known: known)?.option
    }
    #expect(target(9, 0) == "sm_90")
    #expect(target(8, 9) == "compute_86")  // machine code of its own is not known: PTX for the driver
    #expect(target(12, 0) == "compute_100")
    #expect(target(7, 0) == nil)
  }
}

import Foundation

/// Work that computes or waits for long, on a thread of its own: the few threads of Swift's tasks stay free.
enum OwnThread {
  static func run<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      Thread { continuation.resume(with: Result { try work() }) }.start()
    }
  }
}

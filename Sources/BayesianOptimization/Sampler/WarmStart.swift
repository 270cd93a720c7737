import Foundation
import LinearAlgebra

/// The opaque warm-start state of a proposal: the chains of every outcome's surrogate, bit for bit.
///
/// Layout (little endian): "EWS1", then for each outcome a presence byte and, if present, the number of chains, for each
/// the length of its position, the position and the step size, then the length of the covariance, the covariance (single
/// precision), the weight and the number of points of the cold fit. Anything else decodes to a cold start.
enum WarmStart {
  private static let magic: [UInt8] = Array("EWS1".utf8)

  static func encode(_ states: [SurrogateWarmStart?]) -> Data? {
    guard states.contains(where: { $0 != nil }) else { return nil }
    var data = Data(magic)
    func append(_ count: Int) {
      withUnsafeBytes(of: UInt32(clamping: count).littleEndian) { data.append(contentsOf: $0) }
    }
    func append(_ values: [Double]) {
      for value in values { withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) } }
    }
    append(states.count)
    for state in states {
      append(state == nil ? 0 : 1)
      guard let state else { continue }
      append(state.chains.count)
      for chain in state.chains {
        append(chain.position.count)
        append(chain.position)
        append([chain.stepSize])
      }
      append(state.covariance.count)
      for value in state.covariance { append(Int(value.bitPattern)) }
      append([state.weight])
      append(state.coldPoints)
    }
    return data
  }

  /// The states of `outcomes` outcomes; nil where the data is missing or not understood.
  static func decode(_ data: Data?, outcomes: Int) -> [SurrogateWarmStart?] {
    let cold = [SurrogateWarmStart?](repeating: nil, count: outcomes)
    guard let data else { return cold }
    var reader = Reader(bytes: Array(data))
    guard reader.take(magic), reader.count() == outcomes else { return cold }
    var states: [SurrogateWarmStart?] = []
    for _ in 0..<outcomes {
      guard let present = reader.count(), present <= 1 else { return cold }
      guard present == 1 else {
        states.append(nil)
        continue
      }
      guard let state = reader.state() else { return cold }
      states.append(state)
    }
    return reader.isAtEnd ? states : cold
  }

  private struct Reader {
    let bytes: [UInt8]
    var position = 0
    var isAtEnd: Bool { position == bytes.count }

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func take(_ expected: [UInt8]) -> Bool {
      guard bytes.count - position >= expected.count,
        Array(bytes[position..<(position + expected.count)]) == expected
      else { return false }
      position += expected.count
      return true
    }

    mutating func count() -> Int? {
      guard bytes.count - position >= 4 else { return nil }
      var value: UInt32 = 0
      for index in 0..<4 { value |= UInt32(bytes[position + index]) << UInt32(8 * index) }
      position += 4
      return Int(value)
    }

    mutating func doubles(_ count: Int) -> [Double]? {
      guard count <= (bytes.count - position) / 8 else { return nil }
      return (0..<count).map { _ in
        var value: UInt64 = 0
        for index in 0..<8 { value |= UInt64(bytes[position + index]) << UInt64(8 * index) }
        position += 8
        return Double(bitPattern: value)
      }
    }

    mutating func state() -> SurrogateWarmStart? {
      guard let chainCount = count(), chainCount <= 4_096 else { return nil }
      var chains: [SurrogateWarmStart.Chain] = []
      for _ in 0..<chainCount {
        guard let length = count(), let position = doubles(length), let step = doubles(1)?.first else { return nil }
        chains.append(SurrogateWarmStart.Chain(position: position, stepSize: step))
      }
      guard let length = count(), length <= (bytes.count - position) / 4 else { return nil }
      var covariance: [Float] = []
      covariance.reserveCapacity(length)
      for _ in 0..<length { covariance.append(Float(bitPattern: UInt32(count() ?? 0))) }
      guard let weight = doubles(1)?.first, let coldPoints = count() else { return nil }
      return SurrogateWarmStart(chains: chains, packed: covariance, weight: weight, coldPoints: coldPoints)
    }
  }
}

extension SurrogateWarmStart {
  /// A state from its stored parts; `packed` is the lower triangle of the covariance.
  fileprivate init(chains: [Chain], packed: [Float], weight: Double, coldPoints: Int) {
    self.init(chains: chains, covariance: Matrix(rows: 0, columns: 0), weight: weight, coldPoints: coldPoints)
    covariance = packed
  }
}

import MemoryRecipe
import RandomStreams

/// How samples are divided into train, validation and test.
package struct SplitPolicy: Sendable, Codable, Equatable {
  /// The unit that is divided.
  package var mode: SplitMode
  /// Shares of train, validation and test; default 0.7, 0.1, 0.2.
  package var fractions: [Double]
  /// Seeds the shuffle of `userDisjoint`.
  package var seed: UInt64

  package init(mode: SplitMode = .withinUser, fractions: [Double] = [0.7, 0.1, 0.2], seed: UInt64 = 0) {
    self.mode = mode
    self.fractions = fractions
    self.seed = seed
  }
}

/// The parts of a dataset, as positions in `Dataset.samples`, ascending.
package struct DatasetSplit: Sendable, Equatable {
  package var train: [Int] = []
  package var validation: [Int] = []
  package var test: [Int] = []

  package subscript(part: SplitPart) -> [Int] {
    get {
      switch part {
      case .train: train
      case .validation: validation
      case .test: test
      }
    }
    set {
      switch part {
      case .train: train = newValue
      case .validation: validation = newValue
      case .test: test = newValue
      }
    }
  }
}

extension Dataset {
  /// Divides the samples.
  ///
  /// - Throws: `DatasetError.split` for impossible fractions, samples without a `split` in mode `given`, and parts that
  ///   come out empty though at least three samples or users were there to divide.
  package func split(_ policy: SplitPolicy) throws -> DatasetSplit {
    try Self.check(policy.fractions)
    var parts = DatasetSplit()
    switch policy.mode {
    case .given:
      for (position, sample) in samples.enumerated() {
        guard let part = sample.split else {
          throw DatasetError(
            .split,
            "sample \"\(sample.id)\" has no \"split\"; give every sample one, or choose the split userDisjoint or "
              + "withinUser")
        }
        parts[part].append(position)
      }
    case .userDisjoint:
      var owners = Array(Set(samples.map(\.user))).sorted()
      var stream = RandomStream(seed: policy.seed, purpose: "data/split")
      owners.shuffle(using: &stream)
      let labels = Self.labels(count: owners.count, fractions: policy.fractions)
      let partOf = Dictionary(uniqueKeysWithValues: zip(owners, labels))
      for (position, sample) in samples.enumerated() { parts[partOf[sample.user] ?? .train].append(position) }
    case .withinUser:
      for positions in samplesByUser {
        let labels = Self.labels(count: positions.count, fractions: policy.fractions)
        for (position, label) in zip(positions, labels) { parts[label].append(position) }
      }
      for part in SplitPart.allCases { parts[part].sort() }
    }
    for part in SplitPart.allCases where parts[part].isEmpty {
      throw DatasetError(
        .split,
        "the \(part.rawValue) part is empty (\(samples.count) samples, split \(policy.mode.rawValue)); give more "
          + "samples, other fractions, or another split")
    }
    return parts
  }

  /// Positions of each user's samples in time order (file order where times are equal; those without one first).
  var samplesByUser: [[Int]] {
    var groups = [[Int]](repeating: [], count: users.count)
    for (position, sample) in samples.enumerated() { groups[userIndex[sample.user] ?? 0].append(position) }
    return groups.map { group in
      group.sorted { a, b in
        let (x, y) = (samples[a].time ?? -.infinity, samples[b].time ?? -.infinity)
        return x == y ? a < b : x < y
      }
    }
  }

  private static func check(_ fractions: [Double]) throws {
    let sum = fractions.reduce(0, +)
    guard fractions.count == 3, fractions.allSatisfy({ $0 >= 0 && $0.isFinite }), abs(sum - 1) < 1e-6 else {
      throw DatasetError(.split, "the fractions \(fractions) must be three numbers from 0 to 1 that add up to 1")
    }
  }

  /// Part of each of `count` ordered things, by the largest remainder.
  ///
  /// Ties go to the earlier part; every part with a share gets at least one when there are three things or more.
  static func labels(count: Int, fractions: [Double]) -> [SplitPart] {
    let exact = fractions.map { $0 * Double(count) }
    var sizes = exact.map { Int($0.rounded(.down)) }
    let order = (0..<3).sorted { a, b in
      // 1e-9: the fractions are decimal, so that equal remainders may differ in their last bits.
      let (x, y) = (exact[a] - Double(sizes[a]), exact[b] - Double(sizes[b]))
      return abs(x - y) < 1e-9 ? a < b : x > y
    }
    for k in 0..<(count - sizes.reduce(0, +)) { sizes[order[k % 3]] += 1 }
    if count >= 3 {
      for part in 0..<3 where sizes[part] == 0 && fractions[part] > 0 {
        if let donor = (0..<3).max(by: { sizes[$0] < sizes[$1] }) {
          sizes[donor] -= 1
          sizes[part] += 1
        }
      }
    }
    return zip(SplitPart.allCases, sizes).flatMap { Array(repeating: $0, count: $1) }
  }

  /// What of each user's history may enter a memory under `policy`, oldest first.
  ///
  /// Within-user splits hide items that are later than the user's last training sample; items without a time stay.
  /// With `userDisjoint` all histories are used (`injectTestUsers`), else those of training users only.
  package func visibleHistories(_ split: DatasetSplit, policy: SplitPolicy, injectTestUsers: Bool = true) -> [User] {
    var lastTraining: [String: Double] = [:]
    for position in split.train {
      let sample = samples[position]
      if let time = sample.time { lastTraining[sample.user] = max(lastTraining[sample.user] ?? -.infinity, time) }
    }
    let trainingUsers = Set(split.train.map { samples[$0].user })
    return users.compactMap { user in
      if policy.mode == .userDisjoint, !injectTestUsers, !trainingUsers.contains(user.id) { return nil }
      var visible = user
      if policy.mode == .withinUser, let limit = lastTraining[user.id] {
        visible.history = user.history.filter { ($0.time ?? -.infinity) <= limit }
      }
      let times = visible.history.map { $0.time ?? -.infinity }
      visible.history = visible.history.indices.sorted { times[$0] == times[$1] ? $0 < $1 : times[$0] < times[$1] }
        .map { visible.history[$0] }
      return visible
    }
  }
}

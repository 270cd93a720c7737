/// How samples are divided into train, validation and test.
package enum SplitMode: String, Sendable, Codable, CaseIterable {
  /// Each sample's own `split` field.
  case given
  /// Each user's samples in time order: first train, then validation, then test.
  case withinUser
  /// Whole users go to one part, shuffled by seed.
  case userDisjoint
}

/// The generated people of the quickstart.
package struct CohortSettings: Sendable, Codable, Equatable {
  /// Where the facts that will be asked stand in the history.
  package enum Mode: String, Sendable, Codable, CaseIterable {
    /// In posts and in one answer each.
    case dialogues
    /// In posts only, so that a reply must put the fact in other words than any it has seen.
    case posts
  }

  /// Seed of everything about them.
  package var seed: UInt64
  /// How many there are.
  package var users: Int
  package var mode: Mode

  package init(seed: UInt64 = 1, users: Int = 16, mode: Mode = .dialogues) {
    self.seed = seed
    self.users = users
    self.mode = mode
  }
}

/// How a base computes: f32, bf16, or what is fastest on the device.
package enum Precision: String, Codable, CaseIterable, Sendable { case automatic, f32, bf16 }

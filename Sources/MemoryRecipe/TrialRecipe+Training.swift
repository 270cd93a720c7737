extension TrialRecipe {
  /// How stage 1 is trained; stage 2 takes the same optimiser settings but for its own rate, epochs and batch.
  package struct Training: Sendable, Codable, Equatable {
    /// How the rate falls after warm-up.
    package enum Schedule: String, Sendable, Codable, CaseIterable {
      /// To 0.
      case linear
      /// Half a cosine, to 10 % of the peak.
      case cosine
    }

    /// Passes over the histories.
    package var epochs = 1
    /// Passes when the winner is trained again for the comparison; nil means `epochs`.
    package var finalEpochs: Int?
    /// Examples per optimiser step.
    package var batch = 8
    /// Peak learning rate.
    package var learningRate = 5e-4
    package var weightDecay = 1e-4
    /// Share of the steps over which the rate rises.
    package var warmup = 0.1
    package var schedule = Schedule.linear
    /// Largest gradient norm; 0 turns clipping off.
    package var clip = 1.0
    /// Longest example in tokens; nil means the base's limit, at most 768.
    package var maxLength: Int?
    /// Items before the predicted one that an example shows.
    package var window = 3
    /// Whether the loss counts all tokens of an example instead of the last item's.
    package var labelContext = false

    private enum CodingKeys: String, CodingKey {
      case epochs, finalEpochs, batch, learningRate, weightDecay, warmup, schedule, clip, window, labelContext
      case maxLength = "maximumLength"
    }

    package init() {}
  }

  /// How stage 2 is trained.
  package struct InstructionTuning: Sendable, Codable, Equatable {
    /// What stage 2 trains.
    package enum Mode: String, Sendable, Codable, CaseIterable {
      /// The memory's own LoRAs go on training (paper).
      case sameMemory
      /// The memory is frozen; a small LoRA on the attention projections is trained beside it.
      case freshAdapter
      /// No stage 2.
      case none
    }

    package var mode = Mode.sameMemory
    package var epochs = 3
    /// Examples per optimiser step.
    package var batch = 8
    /// Peak learning rate.
    package var learningRate = 5e-4
    /// Rank of the fresh adapter.
    package var rank = 4
    /// α of the fresh adapter; nil means its rank.
    package var alpha: Double?
    /// Whether stage 2 comes before every trial is measured, too.
    package var duringSearch = false

    package init() {}
  }
}

/// How the hyperparameter posterior is sampled: algorithm, number of chains, lengths and thinning.
///
/// Every chain runs `warmup` iterations that are thrown away and `draws` that are recorded; `kept` draws in total, evenly
/// spaced and pooled over the chains, enter the posterior mixture.
public struct SamplingSchedule: Sendable, Hashable, Codable {
  /// The Markov chain Monte Carlo algorithm.
  public enum Algorithm: String, Sendable, Hashable, Codable {
    /// Hamiltonian Monte Carlo with quasi-random trajectory lengths, log-rho coordinates and a shrunk dense metric.
    case jitteredHMC
    /// The No-U-Turn sampler (multinomial) with the same coordinates and metric: the reference.
    case noUTurn
  }

  /// The name by which a study's configuration refers to the schedule.
  public var name: String
  /// Which algorithm draws.
  public var algorithm: Algorithm
  /// Independent chains whose draws are pooled.
  public var chains: Int
  /// Warm-up iterations of a cold chain.
  public var warmup: Int
  /// Warm-up iterations of a chain that continues from a warm start.
  public var continuedWarmup: Int
  /// Recorded iterations of a cold chain.
  public var draws: Int
  /// Recorded iterations of a chain that continues from a warm start.
  public var continuedDraws: Int
  /// Draws that enter the mixture, over all chains.
  public var kept: Int
  /// The largest depth of a trajectory tree (`noUTurn`); 6 means at most 63 leapfrog steps.
  public var maximumTreeDepth: Int
  /// Target of the step size adaptation.
  public var targetAcceptance: Double
  /// Mean trajectory length in metric units (`jitteredHMC`).
  public var trajectoryLength: Double

  /// A schedule; numbers below their least sensible value are raised to it.
  ///
  /// Continued chains are as long as cold ones by default.
  public init(
    name: String, algorithm: Algorithm, chains: Int, warmup: Int, draws: Int, kept: Int,
    continuedWarmup: Int? = nil, continuedDraws: Int? = nil, maximumTreeDepth: Int = 6,
    targetAcceptance: Double = 0.8, trajectoryLength: Double = 2
  ) {
    self.name = name
    self.algorithm = algorithm
    self.chains = max(1, chains)
    self.warmup = max(0, warmup)
    self.draws = max(1, draws)
    self.kept = max(1, kept)
    self.continuedWarmup = max(0, continuedWarmup ?? warmup)
    self.continuedDraws = max(1, continuedDraws ?? draws)
    self.maximumTreeDepth = max(1, maximumTreeDepth)
    self.targetAcceptance = targetAcceptance
    self.trajectoryLength = trajectoryLength
  }

  /// Four pooled chains of jittered HMC, 96 + 32 iterations cold and 10 + 24 continued, 16 kept draws.
  public static let standard = SamplingSchedule(
    name: "default", algorithm: .jitteredHMC, chains: 4, warmup: 96, draws: 32, kept: 16,
    continuedWarmup: 10, continuedDraws: 24, targetAcceptance: 0.75)
  /// One long chain of jittered HMC: 256 + 128 iterations, 16 kept draws.
  public static let long = SamplingSchedule(
    name: "long", algorithm: .jitteredHMC, chains: 1, warmup: 256, draws: 128, kept: 16,
    continuedWarmup: 32, continuedDraws: 64, targetAcceptance: 0.75)
  /// The reference sampler with four pooled chains of depth at most 7.
  public static let nuts = SamplingSchedule(
    name: "nuts", algorithm: .noUTurn, chains: 4, warmup: 128, draws: 64, kept: 16, maximumTreeDepth: 7)
  /// BoTorch's library defaults: 512 + 256, every 16th kept.
  public static let botorch = SamplingSchedule(
    name: "botorch", algorithm: .noUTurn, chains: 1, warmup: 512, draws: 256, kept: 16)
  /// The settings of AutoPEFT's runs: 128 + 64, every 4th kept.
  public static let autopeft = SamplingSchedule(
    name: "autopeft", algorithm: .noUTurn, chains: 1, warmup: 128, draws: 64, kept: 16)
  /// The settings of the peer timings: 256 + 128, every 16th kept.
  public static let timings = SamplingSchedule(
    name: "timings", algorithm: .noUTurn, chains: 1, warmup: 256, draws: 128, kept: 8)
  /// A very short schedule for tests and pathological data: two chains of 24 + 8, 4 kept draws.
  public static let short = SamplingSchedule(
    name: "short", algorithm: .jitteredHMC, chains: 2, warmup: 24, draws: 8, kept: 4,
    continuedWarmup: 6, continuedDraws: 4)

  /// The No-U-Turn sampler with as many and as long chains: what takes over when this schedule's sampler fails.
  ///
  /// It chooses the length of its trajectories itself and takes smaller steps.
  var noUTurn: SamplingSchedule {
    var schedule = self
    schedule.algorithm = .noUTurn
    schedule.warmup = max(warmup, 24)
    schedule.maximumTreeDepth = 7
    schedule.targetAcceptance = 0.9
    return schedule
  }

  /// Every schedule that has a name.
  public static let presets: [SamplingSchedule] = [standard, long, nuts, botorch, autopeft, timings, short]

  /// The preset of the given name, `nil` when there is none.
  public static func named(_ name: String) -> SamplingSchedule? {
    presets.first { $0.name == name }
  }
}

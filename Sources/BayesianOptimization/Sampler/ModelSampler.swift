/// stub
struct ModelSampler: Sampler {
  let space: SearchSpace
  let objectives: [Objective]
  let settings: SamplerSettings
  func propose(_ request: ProposalRequest) -> ProposalOutcome { .spaceExhausted }
}
struct RandomSampler: Sampler {
  let space: SearchSpace
  func propose(_ request: ProposalRequest) -> ProposalOutcome { .spaceExhausted }
}
struct SobolSampler: Sampler {
  let space: SearchSpace
  func propose(_ request: ProposalRequest) -> ProposalOutcome { .spaceExhausted }
}
struct NSGA2Sampler: Sampler {
  let space: SearchSpace
  let objectives: [Objective]
  let settings: SamplerSettings
  func propose(_ request: ProposalRequest) -> ProposalOutcome { .spaceExhausted }
}

/// The trials of a study by number, in pieces, so that changing one trial of a copy does not copy them all.
package struct TrialList: RandomAccessCollection, Sendable, Hashable {
  private static let shift = 6
  private static let mask = 1 << shift - 1
  private var pieces: [[Trial]] = []
  package private(set) var count = 0

  init() {}

  package var startIndex: Int { 0 }
  package var endIndex: Int { count }

  package internal(set) subscript(number: Int) -> Trial {
    get { pieces[number >> Self.shift][number & Self.mask] }
    set { pieces[number >> Self.shift][number & Self.mask] = newValue }
  }

  mutating func append(_ trial: Trial) {
    if count & Self.mask == 0 {
      var piece: [Trial] = []
      piece.reserveCapacity(Self.mask + 1)
      pieces.append(piece)
    }
    pieces[count >> Self.shift].append(trial)
    count += 1
  }
}

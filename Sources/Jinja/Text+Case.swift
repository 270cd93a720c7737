extension Text {
  private func with(_ scalars: [Unicode.Scalar]) -> Text { Text(scalars, isMarkup: isMarkup) }

  var uppercased: Text { with(scalars.flatMap { Array($0.properties.uppercaseMapping.unicodeScalars) }) }

  var lowercased: Text { with(scalars.indices.flatMap { lower(at: $0) }) }

  /// For comparison without case.
  var caseFolded: Text {
    with(
      scalars.flatMap { scalar -> [Unicode.Scalar] in
        switch scalar.value {
        // They have an upper case, but do not fold to it and back; Cherokee folds to upper case.
        case 0x131, 0x13A0...0x13F5: [scalar]
        case 0x13F8...0x13FD, 0xAB70...0xABBF: Array(scalar.properties.uppercaseMapping.unicodeScalars)
        default:
          scalar.properties.uppercaseMapping.unicodeScalars.flatMap {
            Array($0.properties.lowercaseMapping.unicodeScalars)
          }
        }
      })
  }

  var capitalized: Text {
    guard let first = scalars.first else { return self }
    return with(
      Array(first.properties.titlecaseMapping.unicodeScalars) + scalars.indices.dropFirst().flatMap { lower(at: $0) })
  }

  /// Upper case where a word begins, lower case elsewhere.
  var titled: Text {
    var result: [Unicode.Scalar] = []
    var isInside = false
    for (index, scalar) in scalars.enumerated() {
      result += isInside ? lower(at: index) : Array(scalar.properties.titlecaseMapping.unicodeScalars)
      isInside = scalar.properties.isCased
    }
    return with(result)
  }

  var caseSwapped: Text {
    with(
      scalars.indices.flatMap { index -> [Unicode.Scalar] in
        let scalar = scalars[index]
        if scalar.properties.isUppercase { return lower(at: index) }
        if scalar.properties.isLowercase { return Array(scalar.properties.uppercaseMapping.unicodeScalars) }
        return [scalar]
      })
  }

  /// Sigma at the end of a word has a form of its own.
  private func lower(at index: Int) -> [Unicode.Scalar] {
    let scalar = scalars[index]
    guard scalar == "\u{3A3}" else { return Array(scalar.properties.lowercaseMapping.unicodeScalars) }
    let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
    let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
    let isFinal = before?.properties.isCased == true && after?.properties.isCased != true
    return [isFinal ? "\u{3C2}" : "\u{3C3}"]
  }

  private var cased: [Unicode.Scalar] {
    scalars.filter {
      $0.properties.isLowercase || $0.properties.isUppercase || $0.properties.generalCategory == .titlecaseLetter
    }
  }

  var isLower: Bool { !cased.isEmpty && cased.allSatisfy(\.properties.isLowercase) }
  var isUpper: Bool { !cased.isEmpty && cased.allSatisfy(\.properties.isUppercase) }

  var isTitle: Bool {
    var (isInside, hasCased) = (false, false)
    for scalar in scalars {
      if scalar.properties.isUppercase || scalar.properties.generalCategory == .titlecaseLetter {
        if isInside { return false }
        (isInside, hasCased) = (true, true)
      } else if scalar.properties.isLowercase {
        if !isInside { return false }
        hasCased = true
      } else {
        isInside = false
      }
    }
    return hasCased
  }
}

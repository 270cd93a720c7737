/// A text as Python has it: a row of Unicode scalars, equal only where all of them are.
package struct Text: Sendable {
  package var scalars: [Unicode.Scalar]
  /// Made by `safe` or `escape`: what is joined to it by `+` is escaped for HTML.
  var isMarkup = false

  package init(_ string: String) { scalars = Array(string.unicodeScalars) }
  init(_ scalars: [Unicode.Scalar], isMarkup: Bool = false) {
    self.scalars = scalars
    self.isMarkup = isMarkup
  }
  init(_ scalars: ArraySlice<Unicode.Scalar>) { self.scalars = Array(scalars) }

  package var string: String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  var count: Int { scalars.count }
  var isEmpty: Bool { scalars.isEmpty }

  static func + (left: Text, right: Text) -> Text { Text(left.scalars + right.scalars) }
}

extension Text: Hashable, Comparable {
  package static func == (left: Text, right: Text) -> Bool { left.scalars == right.scalars }
  package func hash(into hasher: inout Hasher) { hasher.combine(scalars) }
  package static func < (left: Text, right: Text) -> Bool { left.scalars.lexicographicallyPrecedes(right.scalars) }
}

extension Text: ExpressibleByStringLiteral {
  package init(stringLiteral value: String) { self.init(value) }
}

// MARK: - Kinds of characters

extension Unicode.Scalar {
  /// White space as `str.isspace` and `\s` have it.
  var isSpace: Bool {
    switch value {
    case 9...13, 28...32, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }

  var isLineEnd: Bool {
    switch value {
    case 10...13, 28...30, 0x85, 0x2028, 0x2029: true
    default: false
    }
  }

  var isLetter: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  var isDecimal: Bool { properties.generalCategory == .decimalNumber }
  var isDigit: Bool { properties.numericType == .decimal || properties.numericType == .digit }
  var isNumeric: Bool { properties.numericType != nil }
  /// A character of a word, as `\w` has it.
  var isWord: Bool { self == "_" || isLetter || isNumeric }

  /// Whether `repr` shows it as it is.
  var isPrintable: Bool {
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    case .spaceSeparator: self == " "
    default: true
    }
  }
}

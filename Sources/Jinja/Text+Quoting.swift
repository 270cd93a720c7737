extension Text {
  /// As Python's `repr`.
  var quoted: Text {
    let hasSingle = scalars.contains("'")
    let quote: Unicode.Scalar = hasSingle && !scalars.contains("\"") ? "\"" : "'"
    var result: [Unicode.Scalar] = [quote]
    for scalar in scalars {
      switch scalar {
      case quote, "\\": result += ["\\", scalar]
      case "\n": result += ["\\", "n"]
      case "\r": result += ["\\", "r"]
      case "\t": result += ["\\", "t"]
      default: result += scalar.isPrintable ? [scalar] : Self.escape(scalar)
      }
    }
    return Text(result + [quote])
  }

  static func escape(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
    let digits = String(scalar.value, radix: 16)
    let (letter, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
    return Array(("\\" + letter + String(repeating: "0", count: width - digits.count) + digits).unicodeScalars)
  }

  /// With the five characters that mean something in HTML written as references.
  var escapedForHTML: Text {
    if isMarkup { return self }
    return Text(
      scalars.flatMap { scalar -> [Unicode.Scalar] in
        switch scalar {
        case "&": Array("&amp;".unicodeScalars)
        case "<": Array("&lt;".unicodeScalars)
        case ">": Array("&gt;".unicodeScalars)
        case "'": Array("&#39;".unicodeScalars)
        case "\"": Array("&#34;".unicodeScalars)
        default: [scalar]
        }
      }, isMarkup: true)
  }
}

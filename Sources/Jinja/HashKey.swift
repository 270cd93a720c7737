/// What two keys of a dictionary have in common where Python takes them for one.
enum HashKey: Hashable {
  case none, undefined
  case integer(Integer)
  case double(Double)
  case text(Text)
  case tuple([HashKey])
  case range(RangeValue)
  case object(ObjectIdentifier)

  init(_ value: Value) throws {
    switch value {
    case .undefined: self = .undefined
    case .none: self = .none
    case .bool(let flag): self = .integer(Integer(flag ? 1 : 0))
    case .integer(let integer): self = .integer(integer)
    case .double(let number):
      self = number.isFinite && number == number.rounded() ? .integer(Integer(truncating: number)) : .double(number)
    case .text(let text): self = .text(text)
    case .tuple(let tuple): self = .tuple(try tuple.items.map(HashKey.init))
    case .range(let range): self = .range(range)
    case .list, .mapping, .view:
      throw TemplateError(.type, "unhashable type: '\(value.typeName)'")
    case .iterator(let object): self = .object(ObjectIdentifier(object))
    case .function(let object): self = .object(ObjectIdentifier(object))
    case .macro(let object): self = .object(ObjectIdentifier(object))
    case .namespace(let object): self = .object(ObjectIdentifier(object))
    case .loop(let object): self = .object(ObjectIdentifier(object))
    case .cycler(let object): self = .object(ObjectIdentifier(object))
    }
  }
}

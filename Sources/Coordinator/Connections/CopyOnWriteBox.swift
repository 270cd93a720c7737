/// A large value behind one reference, so that copying a thousand of them is cheap; copied when it is changed while
/// somebody else holds it.
struct CopyOnWriteBox<Value: Sendable>: Sendable {
  private final class Storage: @unchecked Sendable {
    // Sendable: `value` is changed only while this reference is the only one (`isKnownUniquelyReferenced`).
    var value: Value
    init(_ value: Value) { self.value = value }
  }

  private var storage: Storage

  init(_ value: Value) { storage = Storage(value) }

  var value: Value {
    get { storage.value }
    _modify {
      if !isKnownUniquelyReferenced(&storage) { storage = Storage(storage.value) }
      yield &storage.value
    }
  }
}

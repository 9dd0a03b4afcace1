/// A statement that must hold whatever clients, disks and networks do.
///
/// On in release builds: a store that goes on after a broken invariant turns a bug into lost data.
/// Not for bad input, which gets an error, and not for a failing disk, which gets a `StorageError`.
@inlinable
package func invariant(
    _ condition: @autoclosure () -> Bool, _ message: @autoclosure () -> String,
    file: StaticString = #fileID, line: UInt = #line
) {
    precondition(condition(), "invariant broken: \(message())", file: file, line: line)
}

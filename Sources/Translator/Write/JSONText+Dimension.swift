import Common

extension JSONText {
    /// Appends `{"Name":…,"Value":…}`.
    static func appendDimension(_ name: [UInt8], _ value: [UInt8], to output: inout [UInt8]) {
        output += Array(#"{"Name":"#.utf8)
        self.append(name, to: &output)
        output += Array(#","Value":"#.utf8)
        self.append(value, to: &output)
        output.append(UInt8(ascii: "}"))
    }
}

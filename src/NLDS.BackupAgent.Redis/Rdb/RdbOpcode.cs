namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>The bytes that stand where a key's type may stand, and what follows each (rdb.h, RDB_OPCODE_…). Pure.</summary>
internal static class RdbOpcode
{
    public const byte End = 0xff;
    public const byte ExpirySeconds = 0xfd;
    public const byte ExpiryMilliseconds = 0xfc;
    public const byte Function = 0xf5;

    /// <returns>Null for a key's type, and for the end.</returns>
    public static RdbFrame? FrameOf(byte opcode) => opcode switch
    {
        0xfe => new RdbFrame(RdbPurpose.Database, [RdbPart.Length]), // SELECTDB
        ExpirySeconds => new RdbFrame(RdbPurpose.Nothing, [RdbPart.Byte4]),
        ExpiryMilliseconds => new RdbFrame(RdbPurpose.Nothing, [RdbPart.Byte8]),
        0xfb => new RdbFrame(RdbPurpose.Nothing, [RdbPart.Length, RdbPart.Length]), // RESIZEDB
        0xfa => new RdbFrame(RdbPurpose.Field, [RdbPart.Text, RdbPart.Text]), // AUX
        0xf9 => new RdbFrame(RdbPurpose.Nothing, [RdbPart.OldDouble]) { IsRawByte = true }, // FREQ, one byte: read as what it is
        0xf8 => new RdbFrame(RdbPurpose.Nothing, [RdbPart.Length]), // IDLE
        0xf7 => new RdbFrame(RdbPurpose.Nothing, [RdbPart.Length, RdbPart.Length, RdbPart.Length, RdbPart.Module]), // MODULE_AUX: id, when as opcode and number, values
        Function => new RdbFrame(RdbPurpose.Nothing, [RdbPart.Text]), // FUNCTION2
        0xf4 => new RdbFrame(RdbPurpose.Nothing, [RdbPart.Length, RdbPart.Length, RdbPart.Length]), // SLOT_INFO
        _ => null,
    };
}

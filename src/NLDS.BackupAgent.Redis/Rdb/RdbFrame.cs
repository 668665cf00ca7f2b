namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>What a sequence of parts is read for.</summary>
internal enum RdbPurpose
{
    Nothing,
    Field,
    Database,
    Key,
    Value,
    Compressed,
}

/// <summary>A sequence of parts that is being read, perhaps for the n-th time.</summary>
internal sealed class RdbFrame(RdbPurpose purpose, RdbPart[] parts)
{
    public RdbPurpose Purpose { get; } = purpose;

    public RdbPart[] Parts { get; } = parts;

    public RdbShape[] Inner { get; init; } = [];

    public bool IsRawByte { get; init; }

    public int Index { get; set; }

    public int InnerIndex { get; set; }

    /// <summary>How often the sequence is still to be read, this time included.</summary>
    public long Left { get; set; } = 1;

    public ulong CompressedBytes { get; set; }
}

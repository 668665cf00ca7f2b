namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>
/// What is kept of the record that passes by: its header, and of the kinds that are read the first bytes behind it. One buffer serves all records.
/// </summary>
internal sealed class WalRecordBuffer(bool verifyChecksums)
{
    private readonly byte[] header = new byte[WalRecordHeader.Bytes];
    private readonly byte[] body = new byte[WalRecordData.MaximumBytes];
    private int headerFilled;
    private int bodyFilled;
    private WalRecordChecksum checksum;

    public bool IsEmpty => headerFilled == 0;

    /// <summary>The header's first field has come, and with it the record's length.</summary>
    public bool HasLength => headerFilled >= sizeof(uint);

    public bool HasHeader => headerFilled == WalRecordHeader.Bytes;

    /// <summary>Only as much of it as has come means anything.</summary>
    public WalRecordHeader Header => new(header);

    /// <summary>What the record is, from when its header is complete.</summary>
    public WalRecordKind Kind { get; private set; }

    /// <summary>Nobody looks at the body, so that it need not be added.</summary>
    public bool IgnoresBody => !verifyChecksums && Kind == WalRecordKind.Other;

    public void Clear()
    {
        headerFilled = 0;
        bodyFilled = 0;
        checksum = default;
    }

    /// <summary>Takes what is lacking of the header; returns how much that was.</summary>
    public int AddHeader(ReadOnlySpan<byte> bytes)
    {
        var taken = Math.Min(bytes.Length, header.Length - headerFilled);
        bytes[..taken].CopyTo(header.AsSpan(headerFilled));
        headerFilled += taken;
        if (HasHeader)
        {
            Kind = Header.Kind;
        }

        return taken;
    }

    public void AddBody(ReadOnlySpan<byte> bytes)
    {
        if (verifyChecksums)
        {
            checksum.Add(bytes);
        }

        if (Kind != WalRecordKind.Other)
        {
            var kept = Math.Min(bytes.Length, body.Length - bodyFilled);
            bytes[..kept].CopyTo(body.AsSpan(bodyFilled));
            bodyFilled += kept;
        }
    }

    /// <summary>Whether the complete record is what was written; true when nobody asked.</summary>
    public bool IsIntact()
    {
        if (!verifyChecksums)
        {
            return true;
        }

        checksum.Add(header.AsSpan(0, WalRecordHeader.ChecksumOffset));
        return checksum.Value == Header.Checksum;
    }

    /// <summary>The first <paramref name="wanted"/> bytes of the record's main data; empty when it has fewer.</summary>
    public ReadOnlySpan<byte> MainData(int wanted) => WalRecordData.Find(body.AsSpan(0, bodyFilled), wanted);
}

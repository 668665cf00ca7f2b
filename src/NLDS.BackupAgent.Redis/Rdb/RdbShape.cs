namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>What a value's bytes are made of, so that it can be passed over without being understood.</summary>
internal enum RdbPart : byte
{
    /// <summary>A length, and so many bytes; or an integer or an LZF block, as the length's encoding says.</summary>
    Text,

    /// <summary>A length or a number of variable size.</summary>
    Length,

    /// <summary>One byte for the length of a number in digits; 253 to 255 stand for not-a-number and the infinities.</summary>
    OldDouble,

    Byte4,
    Byte8,
    Byte16,

    /// <summary>A length, and so many times the sequence that follows it in the shape.</summary>
    Repeat,

    /// <summary>A module's value: opcodes that say their own type, up to a zero.</summary>
    Module,
}

/// <summary>The sequence of parts of a value. A <see cref="RdbPart.Repeat"/> takes its inner shapes in order.</summary>
internal sealed record RdbShape(RdbPart[] Parts, params RdbShape[] Inner)
{
    private static readonly RdbShape Text = new([RdbPart.Text]);
    private static readonly RdbShape Texts = new([RdbPart.Repeat], Text);
    private static readonly RdbShape Pairs = new([RdbPart.Repeat], new RdbShape([RdbPart.Text, RdbPart.Text]));

    /// <summary>One string and nothing else: what most values are.</summary>
    public bool IsText => ReferenceEquals(this, Text);

    private static readonly RdbShape?[] ByType = [.. Enumerable.Range(0, 256).Select(type => Make((byte)type))];

    /// <summary>By the type's number (rdb.h); null for a number that no version up to <see cref="RdbScanner.NewestKnownVersion"/> writes.</summary>
    public static RdbShape? OfType(byte type) => ByType[type];

    private static RdbShape? Make(byte type) => type switch
    {
        0 => Text,
        1 or 2 => Texts,
        3 => new([RdbPart.Repeat], new RdbShape([RdbPart.Text, RdbPart.OldDouble])),
        4 => Pairs,
        5 => new([RdbPart.Repeat], new RdbShape([RdbPart.Text, RdbPart.Byte8])),
        7 => new([RdbPart.Length, RdbPart.Module]),

        // Ziplists, intsets, zipmaps and listpacks are one blob each.
        9 or 10 or 11 or 12 or 13 or 16 or 17 or 20 => Text,
        14 => Texts,
        18 => new([RdbPart.Repeat], new RdbShape([RdbPart.Length, RdbPart.Text])),
        15 => StreamOf(positions: 3, groupPositions: 2, consumer: [RdbPart.Text, RdbPart.Byte8, RdbPart.Repeat]),
        19 => StreamOf(positions: 8, groupPositions: 3, consumer: [RdbPart.Text, RdbPart.Byte8, RdbPart.Repeat]),
        21 => StreamOf(positions: 8, groupPositions: 3, consumer: [RdbPart.Text, RdbPart.Byte8, RdbPart.Byte8, RdbPart.Repeat]),

        // Hashes whose fields expire (7.4): the earliest expiry, then a time with each field or a listpack.
        24 => new([RdbPart.Byte8, RdbPart.Repeat], new RdbShape([RdbPart.Length, RdbPart.Text, RdbPart.Text])),
        25 => new([RdbPart.Byte8, RdbPart.Text]),
        _ => null,
    };

    /// <summary>
    /// Listpacks by their first id; how many entries there are and the ids of the last, from version 2 also of the first and of the last deleted, and how many were ever
    /// added; the groups: name, last id, from version 2 entries read, what is pending (id, time, count), and the consumers with the ids that are pending for each.
    /// </summary>
    private static RdbShape StreamOf(int positions, int groupPositions, RdbPart[] consumer) => new(
        [RdbPart.Repeat, .. Enumerable.Repeat(RdbPart.Length, positions), RdbPart.Repeat],
        new RdbShape([RdbPart.Text, RdbPart.Text]),
        new RdbShape(
            [RdbPart.Text, .. Enumerable.Repeat(RdbPart.Length, groupPositions), RdbPart.Repeat, RdbPart.Repeat],
            new RdbShape([RdbPart.Byte16, RdbPart.Byte8, RdbPart.Length]),
            new RdbShape(consumer, new RdbShape([RdbPart.Byte16]))));
}

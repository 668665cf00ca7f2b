using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>
/// Walks through an RDB file while it passes, in pieces of any size: every opcode, key and value, down to its last byte, so that a file which a server could not
/// load is found out before anybody relies on it. Nothing but auxiliary fields is kept. <see cref="RdbChecksum"/> looks at the same bytes.
/// </summary>
/// <remarks>
/// The format: rdb.c and rdb.h of Redis.
/// </remarks>
internal sealed class RdbScanner
{
    public const int NewestKnownVersion = 12;

    private const int OldestKnownVersion = 5;
    private const int HeaderBytes = 9;

    /// <summary>Module, function and key lengths are bounded by proto-max-bulk-len, which nobody sets to terabytes; a longer one is damage.</summary>
    private const ulong LongestText = 1UL << 42;

    private static readonly RdbPart[] OneText = [RdbPart.Text];

    private readonly RdbChecksum checksum = new();
    private readonly RdbFields fields = new();
    private readonly RdbCounts counts = new();
    private readonly Stack<RdbFrame> frames = [];
    private readonly byte[] small = new byte[16];
    private int smallBytes;
    private int needed = HeaderBytes;
    private ulong skipping;
    private State state = State.Header;
    private RdbPart part;
    private int version;
    private bool expires;
    private byte type;
    private long functions;
    private bool givenUp;

    private enum State
    {
        Header,
        Opcode,
        PartHead,
        Skip,
        Trailer,
        End,
    }

    /// <summary>True when the bytes so far are a whole file.</summary>
    public bool IsComplete => givenUp ? checksum.IsComplete : state == State.End;

    public long Bytes => checksum.Bytes;

    /// <summary>The auxiliary fields so far.</summary>
    public IReadOnlyDictionary<string, string> Fields => fields.All;

    /// <exception cref="InvalidDataException">This is no RDB file, or a damaged one.</exception>
    public void Feed(ReadOnlySpan<byte> bytes)
    {
        checksum.Feed(bytes);
        while (!bytes.IsEmpty && !givenUp)
        {
            if (state == State.Opcode && KeyAtOnce(bytes) is > 0 and var whole)
            {
                bytes = bytes[whole..];
                continue;
            }

            if (state == State.Skip)
            {
                var count = (int)Math.Min(skipping, (ulong)bytes.Length);
                fields.Take(bytes[..count]);
                skipping -= (ulong)count;
                bytes = bytes[count..];
                if (skipping == 0)
                {
                    EndText();
                }

                continue;
            }

            if (state == State.End)
            {
                throw new InvalidDataException("something follows the end of the RDB file");
            }

            var taken = Math.Min(needed - smallBytes, bytes.Length);
            bytes[..taken].CopyTo(small.AsSpan(smallBytes));
            smallBytes += taken;
            bytes = bytes[taken..];
            if (smallBytes == needed)
            {
                Step();
            }
        }
    }

    /// <exception cref="InvalidDataException">It ended too early, or its checksum is another.</exception>
    public RdbSummary Complete()
    {
        if (!givenUp && state != State.End)
        {
            throw new InvalidDataException($"the RDB file is cut short after {Bytes} bytes");
        }

        checksum.RequireComplete();
        return new RdbSummary
        {
            Version = version,
            Fields = fields.All,
            Databases = givenUp ? null : counts.All(),
            Functions = functions,
            IsChecksummed = !checksum.IsUnchecked,
        };
    }

    /// <summary>The way of most keys: one string, and all of it is here. What is cut off, or anything else, goes the long way, part by part.</summary>
    /// <returns>The length of the key with its expiry and value; 0 when it was not taken.</returns>
    private int KeyAtOnce(ReadOnlySpan<byte> bytes)
    {
        const int expiryBytes = 9;
        var hasExpiry = bytes[0] == RdbOpcode.ExpiryMilliseconds && bytes.Length > expiryBytes;
        var at = hasExpiry ? expiryBytes : 0;
        if (RdbShape.OfType(bytes[at]) is not { IsText: true } || RdbText.End(bytes, at + 1) is not { } value || RdbText.End(bytes, value) is not { } end)
        {
            return 0;
        }

        expires |= hasExpiry;
        CountKey();
        return end;
    }

    private void Step()
    {
        switch (state)
        {
            case State.Header:
                ReadHeader();
                break;
            case State.Opcode:
                ReadOpcode(small[0]);
                break;
            case State.PartHead:
                ReadPartHead();
                break;
            case State.Trailer:
                state = State.End;
                break;
            default:
                throw new InvalidOperationException($"State {state} reads no bytes. This is a defect.");
        }
    }

    private void ReadHeader()
    {
        var text = Encoding.ASCII.GetString(small, 0, HeaderBytes);
        if (!text.StartsWith("REDIS", StringComparison.Ordinal) || !int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out version))
        {
            throw new InvalidDataException($"it does not begin as an RDB file does, but with '{new string([.. text.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '?')])}'");
        }

        if (version < OldestKnownVersion)
        {
            throw new InvalidDataException($"the RDB file has version {version}, which has no checksum; Redis has written newer ones since 2.6");
        }

        Await(State.Opcode, 1);
    }

    private void ReadOpcode(byte opcode)
    {
        if (opcode == RdbOpcode.End)
        {
            Await(State.Trailer, 8);
        }
        else if (RdbOpcode.FrameOf(opcode) is { } frame)
        {
            expires |= opcode is RdbOpcode.ExpirySeconds or RdbOpcode.ExpiryMilliseconds;
            functions += opcode == RdbOpcode.Function ? 1 : 0;
            Begin(frame);
        }
        else
        {
            BeginKey(opcode);
        }
    }

    private void BeginKey(byte valueType)
    {
        if (RdbShape.OfType(valueType) is null)
        {
            GiveUp($"the RDB file has a value of type {valueType}, which no server of its version {version} writes");
            return;
        }

        type = valueType;
        Begin(new RdbFrame(RdbPurpose.Key, OneText));
    }

    /// <summary>What a newer server writes is not damage: the checksum alone then vouches for the file.</summary>
    private void GiveUp(string why)
    {
        if (version <= NewestKnownVersion)
        {
            throw new InvalidDataException(why);
        }

        givenUp = true;
    }

    private void Begin(RdbFrame frame)
    {
        frames.Push(frame);
        NextPart();
    }

    /// <summary>Goes on to the next part that has bytes of its own.</summary>
    private void NextPart()
    {
        while (frames.TryPeek(out var frame))
        {
            if (frame.Index == frame.Parts.Length)
            {
                if (frame.Left > 1)
                {
                    frame.Left--;
                    frame.Index = frame.InnerIndex = 0;
                    continue;
                }

                frames.Pop();
                End(frame);
                continue;
            }

            part = frame.Parts[frame.Index++];
            fields.Begin(isField: frame.Purpose == RdbPurpose.Field);
            Await(State.PartHead, part switch
            {
                RdbPart.Byte4 => 4,
                RdbPart.Byte8 => 8,
                RdbPart.Byte16 => 16,
                _ => 1,
            });
            return;
        }

        Await(State.Opcode, 1);
    }

    private void End(RdbFrame frame)
    {
        if (frame.Purpose == RdbPurpose.Key)
        {
            var shape = RdbShape.OfType(type)!;
            frames.Push(new RdbFrame(RdbPurpose.Value, shape.Parts) { Inner = shape.Inner });
        }
        else if (frame.Purpose == RdbPurpose.Value)
        {
            CountKey();
        }
    }

    private void CountKey()
    {
        counts.Add(expires);
        expires = false;
    }

    private void ReadPartHead()
    {
        switch (part)
        {
            case RdbPart.Byte4 or RdbPart.Byte8 or RdbPart.Byte16:
                NextPart();
                break;
            case RdbPart.OldDouble when frames.Peek().IsRawByte || small[0] >= 253:
                NextPart();
                break;
            case RdbPart.OldDouble:
                Skip(small[0]);
                break;
            default:
                var size = RdbLength.Size(small[0]);
                if (size == 0)
                {
                    throw new InvalidDataException($"the RDB file has a length that begins with 0x{small[0]:x2} near byte {Bytes}");
                }

                if (smallBytes < size)
                {
                    needed = size;
                }
                else
                {
                    var length = RdbLength.Read(small.AsSpan(0, size));
                    TakeLength(length.Value, length.Encoding);
                }

                break;
        }
    }

    private void TakeLength(ulong value, int encoding)
    {
        if (encoding >= 0 && part != RdbPart.Text && part != RdbPart.Module)
        {
            throw new InvalidDataException($"the RDB file has an encoded string where a length is due, near byte {Bytes}");
        }

        switch (part)
        {
            case RdbPart.Text:
                TakeText(value, encoding);
                break;
            case RdbPart.Length:
                TakeNumber(value);
                break;
            case RdbPart.Repeat:
                Repeat(value);
                break;
            default:
                TakeModuleOpcode(value);
                break;
        }
    }

    private void TakeText(ulong length, int encoding)
    {
        switch (encoding)
        {
            case < 0:
                Skip(length);
                break;
            case 0 or 1 or 2: // an integer of 8, 16 or 32 bits
                fields.ComesAsNumber();
                Skip(1UL << encoding);
                break;
            case 3: // LZF: the compressed length, the plain length, and the compressed bytes
                fields.Drop();
                frames.Push(new RdbFrame(RdbPurpose.Compressed, [RdbPart.Length, RdbPart.Length]));
                NextPart();
                break;
            default:
                throw new InvalidDataException($"the RDB file has a string of unknown encoding {encoding}, near byte {Bytes}");
        }
    }

    private void TakeNumber(ulong value)
    {
        var frame = frames.Peek();
        if (frame.Purpose == RdbPurpose.Database)
        {
            counts.Select(value <= int.MaxValue ? (int)value : throw new InvalidDataException($"the RDB file selects database {value}"));
        }
        else if (frame.Purpose == RdbPurpose.Compressed && frame.Index == 1)
        {
            frame.CompressedBytes = value;
        }
        else if (frame.Purpose == RdbPurpose.Compressed)
        {
            frames.Pop();
            Skip(frame.CompressedBytes);
            return;
        }

        NextPart();
    }

    private void Repeat(ulong times)
    {
        var frame = frames.Peek();
        var inner = frame.Inner[frame.InnerIndex++];
        if (times > long.MaxValue)
        {
            throw new InvalidDataException($"the RDB file has a collection of {times} elements, near byte {Bytes}");
        }

        if (times > 0)
        {
            frames.Push(new RdbFrame(RdbPurpose.Nothing, inner.Parts) { Inner = inner.Inner, Left = (long)times });
        }

        NextPart();
    }

    /// <summary>A module's value says the type of each of its parts (RDB_MODULE_OPCODE_…) and ends with a zero.</summary>
    private void TakeModuleOpcode(ulong opcode)
    {
        if (opcode == 0)
        {
            NextPart();
            return;
        }

        // The module goes on behind this value.
        frames.Peek().Index--;
        RdbPart value = opcode switch
        {
            1 or 2 => RdbPart.Length,
            3 => RdbPart.Byte4,
            4 => RdbPart.Byte8,
            5 => RdbPart.Text,
            _ => throw new InvalidDataException($"the RDB file has a module value of unknown type {opcode}, near byte {Bytes}"),
        };
        Begin(new RdbFrame(RdbPurpose.Nothing, [value]));
    }

    private void Skip(ulong bytes)
    {
        if (bytes > LongestText)
        {
            throw new InvalidDataException($"the RDB file has a string of {bytes} bytes, near byte {Bytes}");
        }

        skipping = bytes;
        state = State.Skip;
        if (bytes == 0)
        {
            EndText();
        }
    }

    private void EndText()
    {
        if (frames.TryPeek(out var frame) && frame.Purpose == RdbPurpose.Field)
        {
            fields.End(isName: frame.Index == 1);
        }

        NextPart();
    }

    private void Await(State next, int bytes)
    {
        (state, needed, smallBytes) = (next, bytes, 0);
    }
}

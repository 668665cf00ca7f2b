using NLDS.BackupAgent.Redis.Protocol;

namespace NLDS.BackupAgent.Redis.CommandStream;

/// <summary>
/// Finds the commands in a replication stream that arrives in pieces of any size: where each begins and ends, what kind it is, and whether it stands between MULTI and
/// EXEC. Payloads are passed over, so memory does not depend on them.
/// </summary>
/// <param name="position">The offset of the first byte.</param>
/// <param name="ended">Called at the end of each command, when the properties tell of it.</param>
internal sealed class CommandScanner(ulong position, Action<CommandScanner> ended)
{
    /// <summary>Redis takes at most this many words in a command from a client; a replica takes any, so a stream may hold more, but not without end.</summary>
    private const long MostWords = int.MaxValue;

    /// <summary>Far beyond proto-max-bulk-len (512 MiB by default); nothing is allocated for it.</summary>
    private const long LongestWord = 1L << 40;

    private const int KeptBytes = 16;

    private readonly byte[] name = new byte[KeptBytes];
    private readonly byte[] argument = new byte[KeptBytes];
    private State state;
    private long number;
    private int digits;
    private long words;
    private long word;
    private long payload;
    private int nameLength;
    private int argumentLength;

    private enum State
    {
        CommandStart,
        WordCount,
        WordCountEnd,
        WordStart,
        WordLength,
        WordLengthEnd,
        Payload,
        PayloadReturn,
        PayloadNewline,
    }

    /// <summary>The offset behind the bytes so far.</summary>
    public ulong Position { get; private set; } = position;

    /// <summary>Where the command that is being read, or that just ended, begins.</summary>
    public ulong Start { get; private set; } = position;

    /// <summary>The last offset at which a copy of the stream may end: behind a command and outside a transaction.</summary>
    public ulong SafeEnd { get; private set; } = position;

    public CommandKind Kind { get; private set; }

    /// <summary>Between MULTI and EXEC; false again at EXEC's end.</summary>
    public bool IsInTransaction { get; private set; }

    /// <summary>False in the middle of a command.</summary>
    public bool IsBetweenCommands => state == State.CommandStart;

    /// <exception cref="ProtocolException">These are no commands.</exception>
    public void Feed(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (state == State.CommandStart && CommandAtOnce(bytes) is > 0 and var whole)
            {
                bytes = bytes[whole..];
                continue;
            }

            if (state == State.Payload)
            {
                var count = (int)Math.Min(payload, bytes.Length);
                Keep(bytes[..count]);
                payload -= count;
                Position += (ulong)count;
                bytes = bytes[count..];
                state = payload == 0 ? State.PayloadReturn : State.Payload;
                continue;
            }

            var next = bytes[0];
            bytes = bytes[1..];
            Position++;
            Take(next);
        }
    }

    /// <summary>The way of nearly every command: all of it is here. One that is cut off, or odd, goes the long way, byte by byte, which also finds the words for it.</summary>
    /// <returns>Its length; 0 when it was not taken.</returns>
    private int CommandAtOnce(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        if (!TryReadNumber(bytes, (byte)'*', ref at, out var count) || count == 0)
        {
            return 0;
        }

        ReadOnlySpan<byte> called = default, first = default;
        for (var i = 0; i < count; i++)
        {
            if (!TryReadNumber(bytes, (byte)'$', ref at, out var length) || bytes.Length - at - 2 < length || bytes[at + length] != '\r' || bytes[at + length + 1] != '\n')
            {
                return 0;
            }

            if (i == 0)
            {
                called = bytes.Slice(at, length);
            }
            else if (i == 1)
            {
                first = bytes.Slice(at, length);
            }

            at += length + 2;
        }

        Start = Position;
        Position += (ulong)at;
        EndCommand(Judge(called, first));
        return at;
    }

    private static bool TryReadNumber(ReadOnlySpan<byte> bytes, byte mark, ref int at, out int number)
    {
        const int mostDigits = 9; // which any int holds
        number = 0;
        if (at >= bytes.Length || bytes[at] != mark)
        {
            return false;
        }

        var digits = at + 1;
        for (at = digits; at < bytes.Length && bytes[at] is >= (byte)'0' and <= (byte)'9'; at++)
        {
            if (at - digits == mostDigits)
            {
                return false;
            }

            number = (number * 10) + (bytes[at] - '0');
        }

        if (at == digits || at + 1 >= bytes.Length || bytes[at] != '\r' || bytes[at + 1] != '\n')
        {
            return false;
        }

        at += 2;
        return true;
    }

    private void Take(byte next)
    {
        switch (state)
        {
            case State.CommandStart when next == '*':
                Start = Position - 1;
                BeginNumber(State.WordCount);
                break;
            case State.CommandStart when next is (byte)'\r' or (byte)'\n':
                Start = SafeEnd = IsInTransaction ? SafeEnd : Position;
                break;
            case State.WordCount when next == '\r':
                state = State.WordCountEnd;
                break;
            case State.WordCountEnd when next == '\n' && digits > 0 && number is > 0 and <= MostWords:
                (words, word, nameLength, argumentLength) = (number, 0, 0, 0);
                state = State.WordStart;
                break;
            case State.WordStart when next == '$':
                BeginNumber(State.WordLength);
                break;
            case State.WordLength when next == '\r':
                state = State.WordLengthEnd;
                break;
            case State.WordLengthEnd when next == '\n' && digits > 0:
                payload = number;
                state = payload == 0 ? State.PayloadReturn : State.Payload;
                break;
            case State.WordCount or State.WordLength when next is >= (byte)'0' and <= (byte)'9' && number <= LongestWord / 10:
                number = (number * 10) + (next - '0');
                digits++;
                break;
            case State.PayloadReturn when next == '\r':
                state = State.PayloadNewline;
                break;
            case State.PayloadNewline when next == '\n':
                EndWord();
                break;
            default:
                throw new ProtocolException($"The replication stream is not made of commands: byte 0x{next:x2} at offset {Position - 1}, in the command that begins at {Start}.");
        }
    }

    private void BeginNumber(State next) => (state, number, digits) = (next, 0, 0);

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (word == 0 && nameLength < KeptBytes)
        {
            var count = Math.Min(bytes.Length, KeptBytes - nameLength);
            bytes[..count].CopyTo(name.AsSpan(nameLength));
            nameLength += count;
        }
        else if (word == 1 && argumentLength < KeptBytes)
        {
            var count = Math.Min(bytes.Length, KeptBytes - argumentLength);
            bytes[..count].CopyTo(argument.AsSpan(argumentLength));
            argumentLength += count;
        }
    }

    private void EndWord()
    {
        word++;
        if (word < words)
        {
            state = State.WordStart;
            return;
        }

        state = State.CommandStart;
        EndCommand(Judge(name.AsSpan(0, nameLength), argument.AsSpan(0, argumentLength)));
    }

    private void EndCommand(CommandKind kind)
    {
        Kind = kind;
        IsInTransaction = Kind == CommandKind.Multi || (IsInTransaction && Kind != CommandKind.Exec);
        if (!IsInTransaction)
        {
            SafeEnd = Position;
        }

        ended(this);
    }

    private static CommandKind Judge(ReadOnlySpan<byte> called, ReadOnlySpan<byte> first) => called.Length switch
    {
        4 when Is(called, "PING"u8) => CommandKind.Link,
        4 when Is(called, "EXEC"u8) => CommandKind.Exec,
        5 when Is(called, "MULTI"u8) => CommandKind.Multi,
        6 when Is(called, "SELECT"u8) => CommandKind.Select,
        7 when Is(called, "PUBLISH"u8) => CommandKind.Message,
        8 when Is(called, "SPUBLISH"u8) => CommandKind.Message,
        7 when Is(called, "FLUSHDB"u8) => CommandKind.Flush,
        8 when Is(called, "FLUSHALL"u8) => CommandKind.Flush,
        8 when Is(called, "REPLCONF"u8) => Is(first, "GETACK"u8) ? CommandKind.AcknowledgementRequest : CommandKind.Link,
        _ => CommandKind.Write,
    };

    private static bool Is(ReadOnlySpan<byte> word, ReadOnlySpan<byte> capitals) => System.Text.Ascii.EqualsIgnoreCase(word, capitals);
}

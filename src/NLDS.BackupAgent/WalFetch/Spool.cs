using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.WalFetch;

/// <summary>
/// A folder of segments that a recovering server will want next. Under its own name there is only what is whole and proved; what is being written has
/// <see cref="UnfinishedSuffix"/>. It is local disk and trusted as such: nobody else can write here, and the server checks every record.
/// <code>
/// 000000010000000A000000FE            a segment, whole
/// 000000010000000A000000FF.nlds-tmp   one on its way
/// recovery                            whose this is, and which segment was last asked for and was not here
/// lock                                held by the one process that reads ahead
/// read-ahead.log                      its last words
/// question.… content.… answer.…       <see cref="SpoolQuestions"/>
/// </code>
/// </summary>
internal sealed class Spool(string directory, SpoolOwner owner)
{
    /// <summary>What the fetcher writes under before it renames.</summary>
    public const string UnfinishedSuffix = ".nlds-tmp";

    private const int SegmentNameLength = 24;

    /// <summary>How long a reader that was told to go may take: it only has to notice and to delete a few files.</summary>
    private static readonly TimeSpan Leaving = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(10);

    public string Directory { get; } = directory;

    public SpoolOwner Owner { get; } = owner;

    public SpoolQuestions Questions { get; } = new(directory, owner);

    public string LogFile => Path.Combine(Directory, "read-ahead.log");

    private string RecoveryFile => Path.Combine(Directory, "recovery");

    private string LockFile => Path.Combine(Directory, "lock");

    /// <summary>What is here is for this owner, and nobody else can have put it here.</summary>
    public bool IsOwned => PrivateDirectory.Exists(Directory) && Read()?.Owner == Owner;

    /// <summary>The segment that was last asked for when it was not here; null when there is none, or this is another's by now.</summary>
    public string? Asked => Read() is { } record && record.Owner == Owner ? record.Asked : null;

    /// <summary>The folder that was named, or else one in the temporary directory that is nobody else's.</summary>
    public static Spool For(WalFetchArguments arguments, StartingPlace place)
    {
        var owner = SpoolOwner.Of(arguments, place);
        return new Spool(arguments.Spool ?? owner.FolderIn(place.TemporaryDirectory), owner);
    }

    public static bool IsSegmentName(string file)
    {
        foreach (var letter in file)
        {
            if (!char.IsAsciiHexDigitUpper(letter))
            {
                return false;
            }
        }

        return file.Length == SegmentNameLength;
    }

    public string PathOf(string segment) => Path.Combine(Directory, segment);

    public bool Holds(string segment) => File.Exists(PathOf(segment));

    /// <summary>Makes the folder this owner's, and empties it if it was not.</summary>
    /// <exception cref="UsageException">It is another server's, or others can write to it.</exception>
    public async Task OwnAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        PrivateDirectory.Create(Directory);
        if (!PrivateDirectory.Exists(Directory))
        {
            throw new UsageException(
                $"The spool '{Directory}' is not a folder that only this user can use, so anybody could put WAL into it. "
                + "Name one that does not exist yet (it is made), or change its owner and its mode to 0700.");
        }

        var record = Read();
        if (record?.Owner == Owner)
        {
            return;
        }

        using var mine = TryLock() ?? (record is null || record.Owner.Directory == Owner.Directory
            ? await EvictAsync(time, cancellationToken)
            : throw new UsageException(
                $"The spool '{Directory}' is in use for the server that recovers in '{record.Owner.Directory}', and a server must never get another's WAL. Give each a spool of its own."));
        Clear();
        Write(new Record(Owner, null));
    }

    /// <summary>Notes that the server asked for a segment that was not here.</summary>
    public void Ask(string segment) => Write(new Record(Owner, segment));

    /// <summary>Takes the place of the one that reads ahead; null when another has it. It is given up when this is disposed or the process ends.</summary>
    public IDisposable? TryLock()
    {
        try
        {
            return new FileStream(LockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException)
        {
            return null;
        }
    }

    public bool IsBeingFilled()
    {
        using var mine = TryLock();
        return mine is null;
    }

    /// <summary>The names of the whole segments.</summary>
    public HashSet<string> Segments() =>
        [.. System.IO.Directory.EnumerateFiles(Directory).Select(path => Path.GetFileName(path)).Where(IsSegmentName)];

    public void Remove(string segment) => File.Delete(PathOf(segment));

    /// <summary>Removes all segments, whole or not, and all questions. Only for the holder of the lock.</summary>
    public void Clear()
    {
        foreach (var path in System.IO.Directory.EnumerateFiles(Directory).ToList())
        {
            if (Path.GetFileName(path) is var name
                && (IsSegmentName(name) || SpoolQuestions.IsPartOfOne(name) || name.EndsWith(UnfinishedSuffix, StringComparison.Ordinal)))
            {
                File.Delete(path);
            }
        }
    }

    /// <summary>The same server with another configuration: who reads ahead with the old one goes as soon as the record is no longer its own.</summary>
    private async Task<IDisposable> EvictAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        File.Delete(RecoveryFile);
        for (var began = time.GetTimestamp(); time.GetElapsedTime(began) < Leaving;)
        {
            if (TryLock() is { } mine)
            {
                return mine;
            }

            await Task.Delay(LookAgain, time, cancellationToken);
        }

        throw new UsageException($"The spool '{Directory}' is still being filled with what an earlier configuration names. Stop that process, or name another spool.");
    }

    private Record? Read()
    {
        try
        {
            return File.ReadAllLines(RecoveryFile) is [var directory, var configuration, var asked]
                ? new Record(new SpoolOwner(directory, configuration), asked.Length > 0 ? asked : null)
                : null;
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private void Write(Record record)
    {
        var temporary = RecoveryFile + UnfinishedSuffix;
        File.WriteAllText(temporary, $"{record.Owner.Directory}\n{record.Owner.Configuration}\n{record.Asked}\n");
        File.Move(temporary, RecoveryFile, overwrite: true);
    }

    private sealed record Record(SpoolOwner Owner, string? Asked);
}

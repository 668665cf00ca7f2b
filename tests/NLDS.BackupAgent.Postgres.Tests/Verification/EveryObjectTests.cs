using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Fuzzing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Verification;

/// <summary>
/// Whatever happens to whichever object of a repository: a verification names it, and a restore refuses, stops with a target that cannot be started, or never
/// needed it and gives what it always gives.
/// </summary>
public abstract partial class EveryObjectTests(FullRepository repository)
{
    /// <summary>What lies in this one beside the documents that every repository has.</summary>
    protected abstract string[] Kinds { get; }

    private const int Seed = 20261123;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_repository_has_an_object_of_every_kind()
    {
        var kinds = (await repository.Store.ListAsync("")).Select(o => KindOf(o.Key)).ToHashSet();
        foreach (var kind in (string[])[.. Kinds, "repository.json", "identity.json", "begun.json", "manifest.json", "verified.json",
            "wal/#.history", "wal/#.history.sha256", "tail/confirmed.json", "gaps/#-#-#.json", "marks/#-#.json", "verified/#.json"])
        {
            kinds.ShouldContain(k => k.EndsWith(kind, StringComparison.Ordinal), string.Join(' ', kinds));
        }

        await using var agent = repository.Reader(repository.Store);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    [Fact]
    public async Task Any_flipped_byte_is_named() => await EachIsNamedAsync((key, content) =>
    {
        var random = new Random(Seed ^ key.GetHashCode(StringComparison.Ordinal));
        return Positions(content.Length, random).Select(position => new Damage(
            $"flipped at {position} of {content.Length}",
            async store =>
            {
                var flipped = content.ToArray();
                flipped[position] ^= (byte)(1 << random.Next(8));
                await store.ReplaceAsync(new ObjectKey(key), flipped, Cancelled);
            }));
    });

    [Fact]
    public async Task Any_truncated_object_is_named() => await EachIsNamedAsync((key, content) =>
        from length in (int[])[content.Length - 1, content.Length / 2, 0]
        select new Damage($"cut to {length}", store => store.ReplaceAsync(new ObjectKey(key), content.AsMemory(0, length), Cancelled)));

    [Fact]
    public async Task Any_deleted_object_is_named()
    {
        var all = await repository.Store.ListAsync("");
        await EachIsNamedAsync((key, _) => IsMadeAgain(key) || IsUnneeded(key, all) ? [] : [new Damage("deleted", store => store.RemoveAsync(new ObjectKey(key)))]);
    }

    [Fact]
    public async Task Any_object_that_changed_places_with_another_of_its_kind_is_named()
    {
        var all = await repository.Store.ListAsync("");
        await EachIsNamedAsync((key, content) =>
        {
            var siblings = all.Where(o => o.Key.Value != key && KindOf(o.Key) == KindOf(new ObjectKey(key))).ToList();
            return siblings.Count == 0
                ? []
                : [new Damage("swapped", async store =>
                {
                    var sibling = siblings[new Random(Seed).Next(siblings.Count)].Key;
                    await store.ReplaceAsync(new ObjectKey(key), await store.ReadAsync(sibling), Cancelled);
                    await store.ReplaceAsync(sibling, content, Cancelled);
                })];
        });
    }

    [Fact]
    public async Task No_damage_makes_a_restore_that_starts_with_anything_else_in_it()
    {
        using var directory = new TemporaryDirectory();
        var sound = await RestoredAsync(repository.Store, directory["sound"]);
        sound.ShouldNotBeNull();

        // The last of each kind is what a restore of the newest moment needs, if it needs any; DamageTests has the rest of the log.
        foreach (var entry in (await repository.Store.ListAsync("")).GroupBy(o => KindOf(o.Key)).Select(kind => kind.Last()))
        {
            foreach (var (how, damage) in new Dictionary<string, Func<IObjectStore, Task>>
            {
                ["flipped"] = store => store.FlipAsync(entry.Key),
                ["deleted"] = store => store.RemoveAsync(entry.Key),
            })
            {
                var store = repository.Copy();
                await damage(store);
                var restored = await RestoredAsync(store, directory["target"]);

                // A restore that is longer, from an older backup, ends with the same data but not with the same files: here there is a gap between the two.
                (restored is null || restored == sound).ShouldBeTrue($"{entry.Key} {how}");
            }
        }
    }

    /// <summary>Whoever owns the store can write any document, under a proof that fits where there is no key: whatever it says is understood or refused, in the words for damage.</summary>
    [Fact]
    public async Task Any_document_may_say_anything()
    {
        using var directory = new TemporaryDirectory();
        var documents = (await repository.Store.ListAsync("")).Where(o => o.Key.Name.EndsWith(".json", StringComparison.Ordinal) && !o.Key.Value.Contains("/lease/", StringComparison.Ordinal)).ToList();
        var random = new Random(FuzzSettings.Seed);
        for (var round = 0; round < FuzzSettings.Rounds(60); round++)
        {
            var key = documents[random.Next(documents.Count)].Key;
            var said = new JsonMutator([System.Text.Encoding.UTF8.GetString(await repository.Store.ReadAsync(key))]).Next(random);
            var store = repository.Copy();
            await store.ReplaceAsync(key, ProvenJson.Prove(System.Text.Encoding.UTF8.GetString(said)), Cancelled);
            await UseAsync(store, directory["target"], $"FUZZ_SEED={FuzzSettings.Seed}, round {round}, {key} says {System.Text.Encoding.UTF8.GetString(said)}");
        }
    }

    /// <summary>Objects of any name beside those that belong there.</summary>
    [Theory]
    [InlineData("postgres/wal/tail/x-0000000000000000-ffffffffffffffff.zst")]
    [InlineData("postgres/wal/tail/00000001-ffffffffffff0000-ffffffffffffffff.zst")]
    [InlineData("postgres/wal/tail/00000000-0000000000000000-0000000000000001.zst")]
    [InlineData("postgres/wal/FFFFFFFFFFFFFFFF00000FFE.zst")]
    [InlineData("postgres/wal/FFFFFFFF.history")]
    [InlineData("postgres/wal/gaps/x.json")]
    [InlineData("postgres/wal/marks/x-y.json")]
    [InlineData("postgres/full/99991231_235959/manifest.json")]
    [InlineData("postgres/full/99991231_235959/base.tar.zst")]
    [InlineData("postgres/verified/x.json")]
    [InlineData("keys/x.json")]
    public async Task Any_name_may_be_there(string name)
    {
        using var directory = new TemporaryDirectory();
        var store = repository.Copy();
        await store.ReplaceAsync(new ObjectKey(name), "not what it says"u8.ToArray(), Cancelled);
        await UseAsync(store, directory["target"], name);
    }

    private async Task UseAsync(IObjectStore store, string target, string what)
    {
        await using var agent = repository.Reader(store);
        foreach (var use in (Func<Task>[])
        [
            () => agent.VerifyAsync(VerifyScope.New),
            () => agent.PlanAsync(target, null, null, repository.Move(target + "-elsewhere")),
            () => agent.PlanAsync(target, "name:two", null, repository.Move(target + "-elsewhere")),
            () => agent.Source.ListAsync(Cancelled),
            () => agent.Pruner.PlanAsync(agent.Source, allowLarge: false, Cancelled),
        ])
        {
            var failure = await Record.ExceptionAsync(use);
            (failure is null or NotRestorableException or SourceException or UsageException or ObjectStoreException).ShouldBeTrue($"{what}: {failure}");
        }
    }

    /// <summary>A digest of every file; null when the restore refused or left what cannot be started.</summary>
    private async Task<string?> RestoredAsync(IObjectStore store, string target)
    {
        await using var agent = repository.Reader(store);
        foreach (var place in (string[])[target, target + "-elsewhere"])
        {
            if (Directory.Exists(place))
            {
                Directory.Delete(place, recursive: true);
            }
        }

        PostgresRestorePlan? plan = null;
        try
        {
            plan = await agent.PlanAsync(target, null, null, repository.Move(target + "-elsewhere"));
            await agent.RestoreAsync(plan);
        }
        catch (NotRestorableException) when (plan is null)
        {
            Directory.Exists(target).ShouldBeFalse();
            return null;
        }
        catch (NotRestorableException)
        {
            File.Exists(Path.Combine(target, TargetDirectory.InProgress)).ShouldBeTrue();
            File.Exists(Path.Combine(target, "global/pg_control")).ShouldBeFalse();
            return null;
        }

        return await DigestAsync(target);
    }

    /// <summary>Everything but the settings, which tell of the target directory.</summary>
    private static async Task<string> DigestAsync(string target)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in Directory.GetFiles(target, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Where(f => Path.GetFileName(f) is not ("postgresql.auto.conf" or "tablespace_map")))
        {
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes(Path.GetRelativePath(target, file)));
            hash.AppendData(await File.ReadAllBytesAsync(file, Cancelled));
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }

    private async Task EachIsNamedAsync(Func<string, byte[], IEnumerable<Damage>> damages)
    {
        var unnamed = new List<string>();
        foreach (var entry in await repository.Store.ListAsync(""))
        {
            foreach (var damage in damages(entry.Key.Value, await repository.Store.ReadAsync(entry.Key)))
            {
                var store = repository.Copy(ProofOf(entry.Key));
                await damage.DoAsync(store);
                var said = await VerifyAsync(store);
                if (!said.Any(finding => Names(finding, entry.Key)))
                {
                    unnamed.Add($"{entry.Key} {damage.How}: {string.Join(" | ", said)}; there are {string.Join(", ", (await repository.Store.ListAsync("postgres/wal/tail/")).Select(o => o.Key.Name))}");
                }
            }
        }

        unnamed.ShouldBeEmpty($"seed {Seed}");
    }

    /// <summary>
    /// The proof that is taken away before the object is damaged: of its backup when it is content of one, of the log when it may be log. All else is believed, because reading
    /// it back for each damage of something else would only take time; documents are read whatever is proven.
    /// </summary>
    private static string? ProofOf(ObjectKey key) => key.Value switch
    {
        var document when document.EndsWith(".json", StringComparison.Ordinal) && document.StartsWith("postgres/full/", StringComparison.Ordinal) => null,
        var content when content.StartsWith("postgres/full/", StringComparison.Ordinal) => content[..(content.LastIndexOf('/') + 1)] + "verified.json",
        var proof when proof.StartsWith("postgres/verified/", StringComparison.Ordinal) => null,
        _ => "postgres/verified/",
    };

    private async Task<IReadOnlyList<DamageFinding>> VerifyAsync(IObjectStore store)
    {
        await using var agent = repository.Reader(store);
        try
        {
            return (await agent.VerifyAsync(VerifyScope.New)).Damage;
        }
        catch (NotRestorableException refusal)
        {
            return [new DamageFinding("", refusal.Message, "")];
        }
    }

    /// <summary>By its key, or by the range of the log that it holds.</summary>
    private static bool Names(DamageFinding finding, ObjectKey key)
    {
        if (finding.Subject == key.Value || finding.What.Contains($"'{key}'", StringComparison.Ordinal))
        {
            return true;
        }

        var range = MissingRange().Match(finding.Subject);
        return range.Success && RangeOf(key) is { } held
            && Lsn.Parse(range.Groups["from"].Value).Value <= held.Start && held.End <= Lsn.Parse(range.Groups["to"].Value).Value;
    }

    private static LogRange? RangeOf(ObjectKey key)
    {
        if (!key.Value.StartsWith("postgres/wal/", StringComparison.Ordinal))
        {
            return null;
        }

        var parts = key.Name.Split('.')[0].Split('-');
        if (parts.Length == 3)
        {
            return new LogRange(Hex(parts[1]), Hex(parts[2]));
        }

        return WalSegment.TryParse(parts[0], new WalSegmentSize(1 << 20), out var segment) ? new LogRange(segment.Start.Value, segment.End.Value) : null;
    }

    private static ulong Hex(string digits) => ulong.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static IEnumerable<int> Positions(int length, Random random) =>
        new[] { 0, length / 2, length - 1, random.Next(length), random.Next(length) }.Distinct();

    /// <summary>
    /// Proofs are made again by the next verification: without one its backup is read again, and nothing else is lost. A lease that is gone is one that was given back.
    /// </summary>
    private static bool IsMadeAgain(string key) => key.Contains("verified", StringComparison.Ordinal) || key.Contains("/lease/", StringComparison.Ordinal);

    /// <summary>
    /// The log's first segments, which no base backup needs; and what another object holds too: the second one of a range, as the change to encryption leaves it, and a chunk whose
    /// bytes came again in others. A repository without them is whole.
    /// </summary>
    private bool IsUnneeded(string key, List<ObjectInfo> all) => RangeOf(new ObjectKey(key)) is { } range
        && (range.End <= repository.NeededFrom || IsHeld(range, all.Where(o => o.Key.Value != key && IsPieceOf(o.Key, new ObjectKey(key).Name[..8])).Select(o => RangeOf(o.Key))));

    private static bool IsPieceOf(ObjectKey key, string lineage) =>
        !key.Name.EndsWith(".json", StringComparison.Ordinal) && key.Name.StartsWith(lineage, StringComparison.Ordinal);

    private static bool IsHeld(LogRange range, IEnumerable<LogRange?> others)
    {
        var reached = range.Start;
        foreach (var other in others.OfType<LogRange>().OrderBy(held => held.Start))
        {
            reached = other.Start <= reached && other.End > reached ? other.End : reached;
        }

        return reached >= range.End;
    }

    private static string KindOf(ObjectKey key) => Numbers().Replace(key.Value, "#");

    [GeneratedRegex("(?<![a-z_])[0-9A-Fa-f_]{5,}(?![a-z])")]
    private static partial Regex Numbers();

    [GeneratedRegex("^WAL from (?<from>[0-9A-F]+/[0-9A-F]+) to (?<to>[0-9A-F]+/[0-9A-F]+) on timeline")]
    private static partial Regex MissingRange();

    public sealed class OfAPlainRepository(FullRepository repository) : EveryObjectTests(repository), IClassFixture<FullRepository>
    {
        protected override string[] Kinds => ["base.tar.zst", "#.tar.zst", "/backup_manifest", "wal/#.zst", "tail/#-#-#.zst"];
    }

    public sealed class OfOneInWhichEncryptionWasTurnedOn(EncryptedFullRepository repository) : EveryObjectTests(repository), IClassFixture<EncryptedFullRepository>
    {
        protected override string[] Kinds => ["base.tar.zst", "base.tar.zst.enc", "#.tar.zst.enc", "backup_manifest.enc", "wal/#.zst", "wal/#.zst.enc", "tail/#-#-#.zst.enc", "plain.json", "keys/#.json"];
    }

    private sealed record Damage(string How, Func<IObjectStore, Task> DoAsync);
}

using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Tests.Fakes;
using NLDS.BackupAgent.WalFetch;

namespace NLDS.BackupAgent.Tests.WalFetch;

public sealed class SpoolTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly TemporaryDirectory directory = new();
    private readonly Spool spool;

    public SpoolTests() => spool = new Spool(directory["spool"], new SpoolOwner("/data/pg_wal", "one"));

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task A_spool_is_made_for_the_caller_alone()
    {
        await OwnAsync(spool);

        File.GetUnixFileMode(spool.Directory).ShouldBe(OwnerOnly);
        spool.IsOwned.ShouldBeTrue();
    }

    [Theory]
    [InlineData(UnixFileMode.OtherWrite)]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherRead)]
    public async Task A_folder_that_others_can_use_is_refused(UnixFileMode more)
    {
        await OwnAsync(spool);
        File.SetUnixFileMode(spool.Directory, OwnerOnly | more);

        await RefusedAsync();
    }

    [Fact]
    public async Task A_link_is_refused()
    {
        Directory.CreateDirectory(directory["elsewhere"], OwnerOnly);
        Directory.CreateSymbolicLink(spool.Directory, directory["elsewhere"]);

        await RefusedAsync();
    }

    /// <summary>Only root can make one; for everybody else root's own folders are there.</summary>
    [Fact]
    public async Task A_folder_of_another_user_is_refused()
    {
        if (Environment.IsPrivilegedProcess)
        {
            Directory.CreateDirectory(spool.Directory, OwnerOnly);
            await ServerProcess.RunAsync("chown", ["nobody", spool.Directory], TestContext.Current.CancellationToken);
            await RefusedAsync();
        }
        else
        {
            PrivateDirectory.Exists("/root").ShouldBeFalse();
        }
    }

    [Fact]
    public async Task What_was_fetched_for_another_server_or_from_another_place_is_removed_before_anything_is_delivered()
    {
        foreach (var other in (SpoolOwner[])[spool.Owner with { Directory = "/other/pg_wal" }, spool.Owner with { Configuration = "two" }])
        {
            var others = new Spool(spool.Directory, other);
            await OwnAsync(others);
            await File.WriteAllTextAsync(others.PathOf(FakeWal.Name(1)), "another's");
            spool.IsOwned.ShouldBeFalse();

            await OwnAsync(spool);

            spool.IsOwned.ShouldBeTrue();
            spool.Segments().ShouldBeEmpty();
        }
    }

    [Fact]
    public async Task What_is_there_for_the_same_owner_stays()
    {
        await OwnAsync(spool);
        await File.WriteAllTextAsync(spool.PathOf(FakeWal.Name(1)), "own");
        spool.Ask(FakeWal.Name(0));

        await OwnAsync(spool);

        spool.Segments().ShouldBe([FakeWal.Name(1)]);
        spool.Asked.ShouldBe(FakeWal.Name(0));
    }

    [Fact]
    public void The_owner_is_told_by_everything_that_says_which_repository_is_meant()
    {
        using var agent = new AgentUnderTest();
        agent.Write("appsettings.json", "{}");
        agent.Write("more.json", "{}");
        var seen = new HashSet<SpoolOwner>();
        void ShouldBeNew(string path = "pg_wal/RECOVERYXLOG", string? config = null)
        {
            var owner = Owner(agent, path, config);
            Owner(agent, path, config).ShouldBe(owner);
            seen.Add(owner).ShouldBeTrue();
            seen.Select(o => o.FolderIn("/tmp")).Distinct().Count().ShouldBe(seen.Select(o => o.Directory).Distinct().Count());
        }

        ShouldBeNew();
        agent.Environment["LANG"] = "C";
        seen.ShouldContain(Owner(agent, "pg_wal/RECOVERYHISTORY", null));
        ShouldBeNew(path: "/other/pg_wal/RECOVERYXLOG");
        ShouldBeNew(config: "more.json");
        agent.Write("more.json", "{ }");
        ShouldBeNew(config: "more.json");
        agent.Write("appsettings.json", "{ }");
        ShouldBeNew();
        File.WriteAllText(Path.Combine(agent.Binary, "appsettings.json"), "{}");
        ShouldBeNew();
        agent.Environment["Storage__S3__Prefix"] = "a";
        ShouldBeNew();
        agent.Environment["AWS_ENDPOINT_URL"] = "http://b";
        ShouldBeNew();
    }

    private static SpoolOwner Owner(AgentUnderTest agent, string path, string? config) =>
        SpoolOwner.Of(new WalFetchArguments("", path, null, config), agent.Place);

    private static Task OwnAsync(Spool spool) => spool.OwnAsync(TimeProvider.System, TestContext.Current.CancellationToken);

    private async Task RefusedAsync()
    {
        (await Should.ThrowAsync<UsageException>(() => OwnAsync(spool))).Message.ShouldContain(spool.Directory);
        spool.IsOwned.ShouldBeFalse();
    }
}

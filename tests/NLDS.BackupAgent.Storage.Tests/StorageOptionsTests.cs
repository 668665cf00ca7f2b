using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Storage.Tests;

public sealed class StorageOptionsTests
{
    [Fact]
    public void The_defaults_lack_only_a_place() =>
        new StorageOptions().Faults().ShouldHaveSingleItem().ShouldStartWith("Storage:Directory:Path is not set.");

    [Fact]
    public void All_faults_are_told_at_once()
    {
        var options = new StorageOptions
        {
            Provider = StorageProvider.S3,
            S3 = new S3Options { Bucket = "No_Bucket", Prefix = "a//b", ServiceUrl = "s3.example.net", PartSizeBytes = 1 },
            Retry = new RetryOptions { AttemptTimeout = TimeSpan.Zero, TotalBudget = TimeSpan.FromDays(9), BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.FromDays(1) },
        };
        string[] keys = ["S3:Bucket", "S3:Prefix", "S3:ServiceUrl", "S3:PartSizeBytes", "Retry:AttemptTimeout", "Retry:TotalBudget", "Retry:BaseDelay", "Retry:MaxDelay"];
        options.Validate(null!).Select(fault => fault.ErrorMessage!.Split(' ')[0]).ShouldBe(keys.Select(key => $"Storage:{key}"));
    }

    [Fact]
    public void Limits_are_checked_whatever_the_provider()
    {
        var options = new StorageOptions
        {
            Directory = { Path = "/backups" },
            Limits = new LimitsOptions { UploadBytesPerSecond = 0, DownloadBytesPerSecond = 65_535, ParallelUploads = 0, ParallelDownloads = 17 },
        };
        string[] keys = ["UploadBytesPerSecond", "DownloadBytesPerSecond", "ParallelUploads", "ParallelDownloads"];
        options.Faults().Select(fault => fault.Split(' ')[0]).ShouldBe(keys.Select(key => $"Storage:Limits:{key}"));
    }

    [Theory]
    [InlineData(RetentionMode.Governance, null, "RetainDays is not set")]
    [InlineData(RetentionMode.Compliance, 0, "RetainDays is 0")]
    [InlineData(RetentionMode.Compliance, 36_501, "RetainDays is 36501")]
    [InlineData(RetentionMode.None, 30, "nothing is locked")]
    [InlineData((RetentionMode)7, 30, "Mode is 7")]
    public void A_lock_needs_a_mode_and_a_time(RetentionMode mode, int? days, string fault) =>
        new S3Options { Bucket = "bucket", ObjectLock = { Mode = mode, RetainDays = days } }.Faults()
            .ShouldHaveSingleItem().ShouldContain(fault);

    [Fact]
    public async Task A_store_that_is_only_read_changes_nothing()
    {
        using var folder = new TemporaryDirectory();
        var key = new ObjectKey("a/b");
        await using (var writing = Services(("Storage:Directory:Path", folder.Path)))
        {
            await writing.GetRequiredService<IObjectStore>().PutIfAbsentAsync(key, "there"u8.ToArray(), CancellationToken.None);
        }

        await using var services = Services(("Storage:Directory:Path", folder.Path), ("Storage:ReadOnly", "true"));
        var store = services.GetRequiredService<IObjectStore>();
        Func<Task>[] writes =
        [
            () => store.PutIfAbsentAsync(new ObjectKey("a/new"), default, CancellationToken.None),
            () => store.PutIfAbsentAsync(new ObjectKey("a/new"), default, Protection.Locked, CancellationToken.None),
            () => store.ReplaceAsync(key, default, CancellationToken.None),
            () => store.BeginUploadAsync(new ObjectKey("a/new"), CancellationToken.None),
            () => store.BeginUploadAsync(new ObjectKey("a/new"), Protection.Locked, CancellationToken.None),
            () => store.DeleteAsync([key], CancellationToken.None),
            () => store.AbortUploadAsync(new UnfinishedUpload("a/b", "1", default), CancellationToken.None),
        ];

        foreach (var write in writes)
        {
            (await Should.ThrowAsync<ObjectStoreException>(write)).Message.ShouldContain("Storage:ReadOnly");
        }

        (await store.HeadAsync(key, CancellationToken.None)).ShouldNotBeNull().Bytes.ShouldBe(5);
    }

    [Fact]
    public async Task The_door_gives_the_limits_that_the_settings_describe()
    {
        using var folder = new TemporaryDirectory();
        await using var services = Services(
            ("Storage:Directory:Path", folder.Path), ("Storage:Limits:ParallelUploads", "3"), ("Storage:Limits:ParallelDownloads", "5"),
            ("Storage:Limits:UploadBytesPerSecond", "1000000"));
        var store = services.GetRequiredService<IObjectStore>();
        store.ParallelUploads.ShouldBe(3);
        store.ParallelDownloads.ShouldBe(5);
    }

    [Theory]
    [InlineData("https://user:password@s3.example.net")]
    [InlineData("ftp://s3.example.net")]
    public void An_address_is_https_or_http_without_a_user(string url) =>
        new S3Options { Bucket = "bucket", ServiceUrl = url }.Faults().ShouldHaveSingleItem().ShouldStartWith("Storage:S3:ServiceUrl");

    [Fact]
    public void Only_the_chosen_provider_is_asked() =>
        new StorageOptions { Provider = StorageProvider.S3, S3 = { Bucket = "backups" } }.Faults().ShouldBeEmpty();

    [Fact]
    public void A_relative_path_is_refused() =>
        new StorageOptions { Directory = { Path = "backups" } }.Faults().ShouldHaveSingleItem().ShouldContain("absolute path");

    [Fact]
    public async Task The_door_gives_the_store_that_the_settings_describe()
    {
        using var folder = new TemporaryDirectory();
        await using var services = Services(("Storage:Directory:Path", folder.Path), ("Storage:Retry:TotalBudget", "00:05:00"));
        var store = services.GetRequiredService<IObjectStore>();
        store.ShouldBeSameAs(services.GetRequiredService<IObjectStore>());
        store.Description.ShouldBe(folder.Path);
        (await store.PutIfAbsentAsync(new ObjectKey("a"), new byte[1], CancellationToken.None)).ShouldBeTrue();
        File.Exists(folder["a"]).ShouldBeTrue();
    }

    [Fact]
    public void The_door_tells_the_faults()
    {
        using var services = Services(("Storage:Provider", "S3"), ("Storage:S3:PartSizeBytes", "7"));
        var thrown = Should.Throw<OptionsValidationException>(() => services.GetRequiredService<IObjectStore>());
        thrown.Failures.Count().ShouldBe(2);
    }

    [Fact]
    public void An_unknown_key_is_a_fault()
    {
        using var services = Services(("Storage:Directory:Path", "/backups"), ("Storage:Directory:Pth", "/x"));
        Should.Throw<InvalidOperationException>(() => services.GetRequiredService<IObjectStore>()).Message.ShouldContain("Pth");
    }

    [Fact]
    public void Opening_S3_says_where_it_is_and_connects_to_nothing()
    {
        var options = new StorageOptions { Provider = StorageProvider.S3, S3 = { Bucket = "backups", Prefix = "/nlds/" } };
        ObjectStores.Open(options, NullLoggerFactory.Instance, meters: null, TimeProvider.System).Description.ShouldBe("s3://backups/nlds");
    }

    private static ServiceProvider Services(params (string Key, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create<string, string?>(setting.Key, setting.Value)))
            .Build();
        return new ServiceCollection().AddSingleton<ILoggerFactory>(NullLoggerFactory.Instance).AddStorage(configuration).BuildServiceProvider();
    }
}

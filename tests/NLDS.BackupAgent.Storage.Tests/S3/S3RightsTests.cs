using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Amazon.S3.Model;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage.S3;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Ceph;

namespace NLDS.BackupAgent.Storage.Tests.S3;

/// <summary>The policy that the README tells people to use, held against a server that decides by it: it is enough, and each right of it is needed.</summary>
public sealed partial class S3RightsTests(SharedCephGateway shared)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task The_policy_of_the_manual_is_enough_and_each_right_of_it_is_needed()
    {
        var gateway = await shared.GetAsync();
        var policy = Policy();
        (await FailuresAsync(gateway, "rights-all", policy)).ShouldBeEmpty();
        foreach (var (action, fails) in new[]
        {
            ("s3:ListBucket", "list"), ("s3:ListBucketMultipartUploads", "unfinished"), ("s3:GetObject", "read"), ("s3:PutObject", "put"), ("s3:DeleteObject", "delete"),
        })
        {
            (await FailuresAsync(gateway, $"rights-without-{action[3..].ToLowerInvariant()}", Without(policy, action))).ShouldContain(fails, action);
        }
    }

    [Fact]
    public async Task A_restore_reads_with_two_rights_and_can_change_nothing()
    {
        var gateway = await shared.GetAsync();
        var policy = Policy();
        foreach (var action in (string[])["s3:ListBucketMultipartUploads", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"])
        {
            policy = Without(policy, action);
        }

        (await FailuresAsync(gateway, "rights-reader", policy)).ShouldBe(["put", "upload", "delete", "unfinished"], ignoreOrder: true);
    }

    /// <summary>What a user with that policy on a bucket of another's cannot do.</summary>
    private static async Task<List<string>> FailuresAsync(CephGateway gateway, string name, JsonObject policy)
    {
        await gateway.CreateBucketAsync(name, None);
        var credentials = await gateway.CreateUserAsync(name.Replace("-", "", StringComparison.Ordinal), None);
        using var owner = gateway.CreateClient();
        await owner.PutBucketPolicyAsync(new PutBucketPolicyRequest { BucketName = name, Policy = Grant(policy, name) }, None);
        var mine = gateway.OpenStore(name);
        await mine.PutIfAbsentAsync(new ObjectKey("there"), new byte[10], None);
        using var store = new S3ObjectStore(gateway.Options(name), credentials, TimeProvider.System, NullLogger<S3ObjectStore>.Instance);

        List<string> failures = [];
        foreach (var (what, act) in new (string, Func<Task>)[]
        {
            ("list", async () => await store.ListAsync("", null, None).ToListAsync()),
            ("read", async () => await (await store.OpenReadAsync(new ObjectKey("there"), 0, null, None)).DisposeAsync()),
            ("put", () => store.PutIfAbsentAsync(new ObjectKey("new"), new byte[10], None)),
            ("upload", () => UploadAsync(store)),
            ("delete", () => store.DeleteAsync([new ObjectKey("there")], None)),
            ("unfinished", () => store.ListUnfinishedUploadsAsync(DateTimeOffset.MaxValue, None)),
        })
        {
            try
            {
                await act();
            }
            catch (ObjectStoreException)
            {
                failures.Add(what);
            }
        }

        return failures;
    }

    private static async Task UploadAsync(S3ObjectStore store)
    {
        var part = new byte[ObjectWriter.MinimumPartBytes];
        await using (var abandoned = await store.BeginUploadAsync(new ObjectKey("abandoned"), None))
        {
            await abandoned.PutPartAsync(1, 0, part, None);
        }

        await using var upload = await store.BeginUploadAsync(new ObjectKey("uploaded"), None);
        await upload.PutPartAsync(1, 0, part, None);
        (await upload.CompleteAsync(None)).ShouldBeTrue();
    }

    /// <summary>An account's policy says what; a bucket's says who too. For a bulk delete Ceph looks at the bucket itself, as the README says.</summary>
    private static string Grant(JsonObject policy, string bucket)
    {
        var granted = JsonNode.Parse(policy.ToJsonString().Replace("nlds-backups-prod", bucket, StringComparison.Ordinal))!.AsObject();
        foreach (var statement in granted["Statement"]!.AsArray())
        {
            statement!["Principal"] = new JsonObject { ["AWS"] = new JsonArray($"arn:aws:iam:::user/{bucket.Replace("-", "", StringComparison.Ordinal)}") };
        }

        if (granted.ToJsonString().Contains("s3:DeleteObject", StringComparison.Ordinal))
        {
            granted["Statement"]![0]!["Action"]!.AsArray().Add("s3:DeleteObject");
        }

        return granted.ToJsonString();
    }

    private static JsonObject Without(JsonObject policy, string action)
    {
        var less = policy.DeepClone().AsObject();
        foreach (var actions in less["Statement"]!.AsArray().Select(statement => statement!["Action"]!.AsArray()))
        {
            foreach (var one in actions.Where(one => one!.GetValue<string>() == action).ToList())
            {
                actions.Remove(one);
            }
        }

        return less;
    }

    private static JsonObject Policy()
    {
        var readme = File.ReadAllText(Path.Combine(Checkout.Root, "README.md"));
        return JsonNode.Parse(JsonBlock().Match(readme[readme.IndexOf("## Rights in S3", StringComparison.Ordinal)..]).Groups[1].Value)!.AsObject();
    }

    [GeneratedRegex(@"```json\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex JsonBlock();
}

using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Kubernetes.Tests.Conformance;

/// <summary>
/// Every request that was recorded of a real API server, in the recorded order, put to the double: what the agent is tested against answers as the real one did.
/// </summary>
public sealed class ConformanceTests(ITestOutputHelper output)
{
    /// <summary>Answers that are the same in what they say and not in every word, each with what is compared instead.</summary>
    private static readonly Dictionary<string, string> Looser = new()
    {
        ["discovery/openapi-v3-index.txt"] = "paths of the groups; the hashes are of documents that the double does not have",
        ["lists/variants/deployments-table.json"] = "the objects of the rows; the double has one column",
        ["lists/nlds/autoscaling_v1_horizontalpodautoscalers.json"] = "names; the double keeps the newest version and does not convert the content",
        ["lists/variants/configmaps-yaml.txt"] = "the media type; the double writes JSON, which is YAML",
        ["writes/create-generatename-dryrun-201.json"] = "the name's beginning; its end is random",
        ["errors/422-job-selector-on-create.json"] = "the fields of the causes; the server's uid is random",
        ["errors/422-pvc-immutable.json"] = "the message's first line; the rest is Go's picture of the difference",
        ["lists/all-namespaces/configmaps.json"] = "the objects of nlds; what other namespaces held was not recorded kind by kind",
    };

    [Fact]
    public async Task Every_recorded_request_is_answered_as_the_real_server_did()
    {
        if (!Recordings.Exist)
        {
            output.WriteLine($"There are no recordings at {Recordings.Folder}; the committed fixtures stand for them.");
            return;
        }

        await using var server = await ApiServerDouble.StartAsync();
        Prepare(server);
        using var client = new HttpClient { BaseAddress = server.Url };
        var all = Recordings.All();
        var faults = new List<string>();
        var handled = 0;
        foreach (var recording in all)
        {
            Meanwhile(server, recording);
            try
            {
                var fault = await ReplayAsync(client, recording);
                handled++;
                if (fault is not null)
                {
                    faults.Add($"{recording}: {fault}");
                }
            }
            catch (Exception broken) when (broken is JsonException or InvalidOperationException or HttpRequestException)
            {
                faults.Add($"{recording}: {broken.Message}");
            }
        }

        output.WriteLine($"Replayed {handled} of {all.Count} recorded requests, {Looser.Count} of them compared in part.");
        faults.ShouldBeEmpty();
        handled.ShouldBe(all.Count);
    }

    private static void Prepare(ApiServerDouble server)
    {
        server.AddUser("admin", new ApiUser("admin", null, ["system:masters", "system:authenticated"]));
        server.AddUser("nobody", new ApiUser("nobody", null, ["system:authenticated"]));
        server.AddUser("nlds-backup", new ApiUser("nlds-backup", "u-backup", ["nlds:backup", "system:authenticated"]));
        server.Seed(Recordings.Objects());

        // What the pages say of a rest that was not recorded: objects of the cluster's own behind the last one.
        foreach (var (file, resource) in new[] { ("clusterroles-limit5.json", "ClusterRole"), ("clusterrolebindings-limit5.json", "ClusterRoleBinding") })
        {
            var list = JsonNode.Parse(File.ReadAllText(Path.Combine(Recordings.Folder, "lists/cluster", file)))!;
            for (var i = 0; i < list["metadata"]!["remainingItemCount"]!.GetValue<int>(); i++)
            {
                server.Seed([new JsonObject
                {
                    ["apiVersion"] = "rbac.authorization.k8s.io/v1", ["kind"] = resource, ["metadata"] = new JsonObject { ["name"] = $"system:rest:{i:D3}", ["uid"] = $"rest-{i}" },
                }]);
            }
        }

        server.Revision = 456;
        server.WatchableFrom = 450;
    }

    /// <summary>What happened at the real server between two recorded requests.</summary>
    private static void Meanwhile(ApiServerDouble server, Recording next)
    {
        switch (next.File)
        {
            case "paging/expired-410.json":
                // Somebody touched an object three times, and etcd was compacted.
                for (var i = 0; i < 2; i++)
                {
                    server.Change("configmaps", "nlds", "empty-config", _ => { });
                }

                var touched = JsonNode.Parse(File.ReadAllText(Path.Combine(Recordings.Folder, "single/configmap-empty-config.json")))!.AsObject();
                server.Compact();
                server.Revision = 458;
                server.Change("configmaps", "nlds", "empty-config", value =>
                {
                    value["metadata"] = touched["metadata"]!.DeepClone();
                });
                break;
            case "errors/200-list-configmaps-partial-user.json":
                server.Revision = 465;
                break;
            case "ssa/create-201.json":
                server.Revision = 482;
                break;
            case "ssa/resourceversion-of-absent-object.json":
                server.Revision = 487;
                break;
            case "writes/delete-configmap-200.json":
                server.Revision = 491;
                server.Add("configmaps", new JsonObject
                {
                    ["apiVersion"] = "v1",
                    ["kind"] = "ConfigMap",
                    ["metadata"] = new JsonObject { ["name"] = "del-me", ["namespace"] = "nlds", ["uid"] = "c25603f9-abf2-4b5d-b31a-fab53b11160e" },
                });
                break;
        }
    }

    private static async Task<string?> ReplayAsync(HttpClient client, Recording recording)
    {
        var path = recording.Path.Replace("timeoutSeconds=2", "timeoutSeconds=0.3", StringComparison.Ordinal);
        using var request = new HttpRequestMessage(new HttpMethod(recording.Method), path);
        request.Headers.TryAddWithoutValidation("Accept", recording.Header("Accept") ?? "application/json");
        request.Headers.TryAddWithoutValidation("User-Agent", "recorder/1");
        var token = recording.User ?? (recording.Status == 401 ? "wrong" : null);
        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        if (recording.Header("If-None-Match") is not null)
        {
            // The tag is of the document's bytes, which are the double's own: asked for first, as a client does.
            using var first = new HttpRequestMessage(HttpMethod.Get, path);
            first.Headers.TryAddWithoutValidation("Accept", recording.Header("Accept"));
            first.Headers.Authorization = request.Headers.Authorization;
            using var tagged = await client.SendAsync(first);
            request.Headers.TryAddWithoutValidation("If-None-Match", tagged.Headers.ETag!.ToString());
        }

        if (recording.RequestBody is { } body)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", recording.Header("Content-Type") ?? "application/json");
        }

        using var answer = await client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return Compare(recording, answer, text);
    }

    private static string? Compare(Recording recording, HttpResponseMessage answer, string text)
    {
        if ((int)answer.StatusCode != recording.Status)
        {
            return $"answered {(int)answer.StatusCode} instead of {recording.Status}: {text[..Math.Min(text.Length, 600)]}";
        }

        if (recording.AnswerHeader("Content-Type") is { } type && answer.Content.Headers.ContentType?.ToString().Replace(" ", "", StringComparison.Ordinal) != type.Replace(" ", "", StringComparison.Ordinal))
        {
            return $"is of type {answer.Content.Headers.ContentType} instead of {type}";
        }

        foreach (var header in new[] { "Retry-After", "Warning" })
        {
            var given = answer.Headers.TryGetValues(header, out var values) ? string.Join(",", values) : null;
            if (given != recording.AnswerHeader(header))
            {
                return $"has {header} {given} instead of {recording.AnswerHeader(header)}";
            }
        }

        if (recording.Status == 304 || recording.File is "lists/variants/configmaps-yaml.txt")
        {
            return null;
        }

        if (recording.File == "errors/404-resource.txt")
        {
            return text == recording.Body ? null : $"says {text}";
        }

        if (recording.File.StartsWith("watch/", StringComparison.Ordinal))
        {
            return CompareEvents(recording.Body, text);
        }

        var (real, ours) = (JsonNode.Parse(recording.Body)!.AsObject(), JsonNode.Parse(text)!.AsObject());
        if (Looser.ContainsKey(recording.File))
        {
            return CompareLoosely(recording, real, ours);
        }

        Normal.Document(real);
        Normal.Document(ours);
        if (recording.File.StartsWith("discovery/resources/", StringComparison.Ordinal))
        {
            // The real server lists the kinds that definitions have added in an order that changes from one start to the next.
            real["resources"] = ByName(real["resources"]!.AsArray());
            ours["resources"] = ByName(ours["resources"]!.AsArray());
        }

        return Difference.Find(real, ours);

        static JsonArray ByName(JsonArray resources) => [.. resources.Select(r => r!.DeepClone()).OrderBy(r => r["name"]!.GetValue<string>(), StringComparer.Ordinal)];
    }

    private static string? CompareEvents(string real, string ours)
    {
        static List<string> Events(string text) => [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line =>
        {
            var one = JsonNode.Parse(line)!;
            return one["type"]!.GetValue<string>() == "ERROR"
                ? one.ToJsonString()
                : $"{one["type"]} {one["object"]!["metadata"]!["name"]} {one["object"]!["data"]?.ToJsonString().Length}";
        })];
        var (wanted, given) = (Events(real), Events(ours));
        return wanted.SequenceEqual(given) ? null : $"tells {string.Join("; ", given)} instead of {string.Join("; ", wanted)}";
    }

    private static string? CompareLoosely(Recording recording, JsonObject real, JsonObject ours)
    {
        static string Names(JsonObject list, string items, params string[] path) =>
            string.Join(",", list[items]!.AsArray().Select(i => path.Aggregate(i, (at, name) => at![name])!.ToJsonString()));
        var (wanted, given) = recording.File switch
        {
            "discovery/openapi-v3-index.txt" => (
                string.Join(",", real["paths"]!.AsObject().Select(p => p.Key).Where(p => p.StartsWith("apis/", StringComparison.Ordinal) && p.Count(c => c == '/') == 2).Order(StringComparer.Ordinal)),
                string.Join(",", ours["paths"]!.AsObject().Select(p => p.Key).Where(p => p.StartsWith("apis/", StringComparison.Ordinal)).Order(StringComparer.Ordinal))),
            "lists/variants/deployments-table.json" => (Names(real, "rows", "object", "metadata", "name"), Names(ours, "rows", "object", "metadata", "name")),
            "lists/nlds/autoscaling_v1_horizontalpodautoscalers.json" => (Names(real, "items", "metadata", "name"), Names(ours, "items", "metadata", "name")),
            "writes/create-generatename-dryrun-201.json" => (real["metadata"]!["generateName"]!.ToJsonString(), ours["metadata"]!["generateName"]!.ToJsonString()),
            "errors/422-pvc-immutable.json" => (real["message"]!.GetValue<string>().Split('\n')[0], ours["message"]!.GetValue<string>()),
            "lists/all-namespaces/configmaps.json" => (NldsOnly(real), NldsOnly(ours)),
            _ => (string.Join(",", real["details"]!["causes"]!.AsArray().Select(c => c!["field"])), string.Join(",", ours["details"]!["causes"]!.AsArray().Select(c => c!["field"]))),
        };
        return wanted == given ? null : $"says {given} instead of {wanted}";

        static string NldsOnly(JsonObject list) => string.Join(
            ",", list["items"]!.AsArray().Where(i => i!["metadata"]!["namespace"]!.GetValue<string>() == "nlds").Select(i => i!["metadata"]!["name"]!.GetValue<string>()));
    }
}
